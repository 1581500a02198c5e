// The signed payload of a rolling code, read before anything is sent: issuer, key, signature and expiry, in this order.

import { fromBase64Url, toBase64Url } from './bytes.js';

const LENGTH = 97;
const SIGNED = 23;
const STATIC = 87;

/** `{ challenge, code }`, or `{ fault: 'foreign' | 'unknown' | 'expired', challenge? }`: `unknown` is signed with a key that is not among `keys`, which the phone has pinned. */
export async function readPayload(text, keys, now) {
  let bytes;
  try {
    bytes = fromBase64Url(text);
  } catch {
    return { fault: 'foreign' };
  }
  if (bytes.length !== LENGTH || bytes[0] !== 1) return { fault: 'foreign' };
  const pinned = keys.find(({ kid }) => kid === bytes[1]);
  if (keys.length > 0 && !pinned) return { fault: 'unknown' };
  if (pinned && !(await fits(pinned.publicKey, bytes))) return { fault: 'foreign' };
  const hex = [...bytes.subarray(2, 18)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const challenge = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const expires = new DataView(bytes.buffer).getUint32(18);
  if (now >= expires * 1000) return { fault: 'expired', challenge };
  return { challenge, code: toBase64Url(bytes.subarray(STATIC + 2)) };
}

async function fits(publicKey, bytes) {
  let key;
  try {
    key = await crypto.subtle.importKey('raw', fromBase64Url(publicKey), { name: 'Ed25519' }, false, ['verify']);
  } catch {
    // A browser without Ed25519 cannot tell; the server still checks the code, and the page talks to no other server.
    return true;
  }
  return crypto.subtle.verify({ name: 'Ed25519' }, key, bytes.subarray(SIGNED, STATIC), bytes.subarray(0, SIGNED));
}
