// Bytes and their spellings: UTF-8, base64, base64url, and the DER form of an ECDSA signature.

export const bytesOf = (text) => new TextEncoder().encode(text);
export const textOf = (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
export const toBase64Url = (bytes) => toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
export const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
export const fromBase64Url = (text) => fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'));

/** `length` bytes of the browser's cryptographic generator. */
export const random = (length) => crypto.getRandomValues(new Uint8Array(length));

/** WebCrypto gives r and s side by side (IEEE P1363); the wire wants SEQUENCE { INTEGER r, INTEGER s }. */
export function derFromRaw(raw) {
  const half = raw.length / 2;
  const body = [...integer(raw.subarray(0, half)), ...integer(raw.subarray(half))];
  return Uint8Array.from([0x30, body.length, ...body]);
}

function integer(bytes) {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = [...bytes.subarray(start)];
  if (digits[0] & 0x80) digits.unshift(0);
  return [0x02, digits.length, ...digits];
}
