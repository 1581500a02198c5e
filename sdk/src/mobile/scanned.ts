// What a phone makes of a scanned text. It signs nothing but ids of challenges, follows no link to another host, and believes a signed
// code only of a server that it knows: all of that before any network call.

import { fromBase64Url, toBase64Url } from '../shared/bytes.js';
import { StepupError } from '../shared/http.js';
import { verifyEd25519 } from './ed25519.js';

/** A key for codes, as the server gave it when this phone was enrolled. */
export interface QrKey {
  kid: number;
  /** 32 bytes, base64url. */
  publicKey: string;
}

/** What was scanned. */
export interface Scanned {
  challenge: string;
  /** Which of the rolling codes was on the screen; empty if the id alone was. */
  code: string;
}

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The parts of the 97 bytes: version, key, id, expiry and flags are signed; then the signature, the step and its code. */
const [LENGTH, SIGNED, STATIC] = [97, 23, 87];

/**
 * Reads the bare id, the link of the server's own page, or the signed rolling code `{issuer}/q/{payload}`. `now` is in milliseconds
 * since 1970.
 */
export function scannedIn(text: string, issuer: string, keys: QrKey[], now: number): Scanned {
  const here = issuer.replace(/\/+$/, '');
  if (text.startsWith(`${here}/q/`)) return signed(text.slice(here.length + 3), keys, now);
  const link = /^(https?:\/\/[^/?#]+)\/authenticator#c=([0-9a-f-]{36})$/i.exec(text);
  const ours = link !== null && link[1]?.toLowerCase() === /^https?:\/\/[^/?#]+/i.exec(issuer)?.[0].toLowerCase();
  const challenge = (ours ? (link[2] ?? '') : text).toLowerCase();
  if (!UUID.test(challenge)) throw foreign('this code is not one of this service');
  return { challenge, code: '' };
}

/** The number of the key that signed a rolling code of this issuer; nothing for any other text. */
export function signerOf(text: string, issuer: string): number | undefined {
  const here = `${issuer.replace(/\/+$/, '')}/q/`;
  try {
    const bytes = text.startsWith(here) ? fromBase64Url(text.slice(here.length)) : undefined;
    return bytes?.length === LENGTH ? bytes[1] : undefined;
  } catch {
    return undefined;
  }
}

function signed(payload: string, keys: QrKey[], now: number): Scanned {
  let bytes: Uint8Array;
  try {
    bytes = fromBase64Url(payload);
  } catch {
    throw foreign('this code is damaged');
  }
  if (bytes.length !== LENGTH || bytes[0] !== 1) throw foreign('this code is damaged');
  const key = keys.find(({ kid }) => kid === bytes[1]);
  if (!key) throw foreign('this code is signed with a key that this phone does not know; add the phone again');
  if (!verifyEd25519(fromBase64Url(key.publicKey), bytes.subarray(0, SIGNED), bytes.subarray(SIGNED, STATIC))) throw foreign('this code is forged');
  const hex = [...bytes.subarray(2, 18)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const challenge = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const expires = new DataView(bytes.buffer, bytes.byteOffset).getUint32(18);
  if (now >= expires * 1000) throw new StepupError(0, 'challenge_expired', 'this code has expired');
  return { challenge, code: toBase64Url(bytes.subarray(STATIC + 2)) };
}

const foreign = (why: string): StepupError => new StepupError(0, 'invalid_qr_code', why);
