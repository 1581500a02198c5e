// What phones and terminals sign. Version 2: the purpose first, then `name=value` lines in a fixed order, a line feed after each.
// Made to be signed and never parsed; `challenge/vectors/messages.json` holds what both sides must make of the same values.

/** The lines of each purpose, in their order. */
const LINES = {
  enroll: ['iss', 'tenant', 'nonce', 'key', 'token'],
  claim: ['iss', 'tenant', 'challenge', 'credential', 'qr', 'nonce'],
  decide: ['iss', 'tenant', 'challenge', 'credential', 'claim', 'ctx', 'decision', 'code'],
  remove: ['iss', 'tenant', 'credential', 'nonce'],
  auth: ['method', 'path', 'body', 'nonce'],
  create: ['iss', 'tenant', 'terminal', 'action', 'token', 'server', 'nonce'],
  near: ['iss', 'tenant', 'terminal', 'challenge', 'channel', 'nonce'],
} as const;

type Purpose = keyof typeof LINES;

/** The text that is signed for a purpose. A value that could break out of its line is an error. */
export function message<P extends Purpose>(purpose: P, values: Record<(typeof LINES)[P][number], string>): string {
  const lines = LINES[purpose].map((name) => {
    const value = (values as Record<string, string>)[name] ?? '';
    if (!/^[A-Za-z0-9._:/@|+=-]{0,1024}$/.test(value)) throw new Error(`\`${name}\` has a character that a signed line cannot hold`);
    return `${name}=${value}\n`;
  });
  return `stepup/v2/${purpose}\n${lines.join('')}`;
}

/** Version 1: what removes a key, the number of the current ten minutes as mobile platforms print a double. */
export const removalWindow = (unixSeconds: number): string => `${Math.floor(unixSeconds / 600)}.0`;
