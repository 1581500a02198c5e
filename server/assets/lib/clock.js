// The service's time, as far as its answers tell: the clock of a phone may be wrong, and expiry is the service's to say.

let ahead = 0;

/** How far `now` may be ahead of the service, in milliseconds, because the service tells whole seconds. */
export const BLUR = 500;

/** Milliseconds since 1970 by the service's clock. */
export const now = () => Date.now() - ahead;

/** How far this device's clock is ahead of the service's, in milliseconds. */
export const skew = () => ahead;

/** Learns from the `Date` header of an answer, which counts whole seconds. */
export function learn(response) {
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) ahead = Date.now() - (date + BLUR);
}

/** Asks for the time. Without an answer the device's own clock has to do. */
export async function ask() {
  try {
    learn(await fetch('/healthz', { cache: 'no-store' }));
  } catch {
    // Nobody answers: there is nothing to learn.
  }
}
