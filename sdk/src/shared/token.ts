// What a token says of itself. Nothing here verifies it: the server does, each time it is used.

import { fromBase64Url, textOf } from './bytes.js';
import { StepupError } from './http.js';

export interface TokenPayload {
  /** The tenant. */
  aud: string;
  /** The user. */
  sub: string;
  /** The server that gave it. */
  iss?: string;
  iat: number;
  exp: number;
  scope?: string;
  other?: { tenantId?: string; userId?: string; actionCode?: string; idempotencyKey?: string; redirectUrl?: string };
}

/** Reads the middle part of a JSON Web Token. */
export function readToken(token: string): TokenPayload {
  try {
    const payload: unknown = JSON.parse(textOf(fromBase64Url(token.split('.')[1] ?? '')));
    if (typeof payload === 'object' && payload !== null && typeof (payload as TokenPayload).aud === 'string') return payload as TokenPayload;
  } catch {
    // Said below.
  }
  throw new StepupError(0, 'invalid_token', 'this text is no token of `track`');
}

/** The token itself, or the one in the `url` that `track` answers. */
export const tokenOf = (tokenOrUrl: string): string => {
  const query = /[?&]token=([A-Za-z0-9._-]+)/.exec(tokenOrUrl);
  return query?.[1] ?? tokenOrUrl;
};
