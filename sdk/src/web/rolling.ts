// A code that rolls: the server signs a link for each quarter of a minute, some ahead, and the page draws the one whose time it is. A
// photograph of it is worth nothing half a minute later.

/** What the server sends for the steps to come. */
export interface RollingQr {
  stepSeconds: number;
  steps: { from: string; url: string }[];
}

/** Tells what the QR code holds, each time that changes. */
export class RollingCode {
  #steps: RollingQr['steps'] = [];
  /** The server's clock minus this one, in milliseconds, as far as it is known. */
  #ahead = 0;
  #drawn = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly draw: (text: string) => void) {}

  /** Takes the next steps. The first of them is the server's now. */
  take(qr: RollingQr | undefined): void {
    const first = Date.parse(qr?.steps[0]?.from ?? '');
    if (!qr || Number.isNaN(first)) return;
    this.#steps = qr.steps;
    const now = Date.now() + this.#ahead;
    // A clock that can be right is believed. One that is not begins anew at the start of the step: behind by a step at most, and the
    // server takes the step before as well, but none to come.
    if (now < first || now >= first + qr.stepSeconds * 1000) this.#ahead += first - now;
    this.#roll();
  }

  /** Draws no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#steps = [];
    this.#drawn = '';
  }

  #roll(): void {
    clearTimeout(this.#timer);
    const now = Date.now() + this.#ahead;
    const begun = this.#steps.filter(({ from }) => Date.parse(from) <= now);
    const current = begun[begun.length - 1] ?? this.#steps[0];
    if (!current) return;
    if (current.url !== this.#drawn) this.draw((this.#drawn = current.url));
    const next = this.#steps[begun.length];
    if (!next) return;
    this.#timer = setTimeout(() => this.#roll(), Math.max(1, Date.parse(next.from) - now));
    // A process is not kept alive by a code that nobody scans.
    (this.#timer as { unref?: () => void }).unref?.();
  }
}
