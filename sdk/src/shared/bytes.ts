// Bytes and their spellings. Written out, because React Native has neither `TextDecoder` nor always `atob`.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** UTF-8 of a text. A lone surrogate, which has none, is an error. */
export function utf8(text: string): Uint8Array {
  const escaped = encodeURIComponent(text);
  const bytes: number[] = [];
  for (let place = 0; place < escaped.length; place += 1) {
    if (escaped[place] === '%') {
      bytes.push(Number.parseInt(escaped.slice(place + 1, place + 3), 16));
      place += 2;
    } else bytes.push(escaped.charCodeAt(place));
  }
  return Uint8Array.from(bytes);
}

/** The text that UTF-8 bytes spell; throws on anything else. */
export function textOf(bytes: Uint8Array): string {
  let escaped = '';
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, '0')}`;
  return decodeURIComponent(escaped);
}

/** Standard base64 with padding (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let place = 0; place < bytes.length; place += 3) {
    const left = bytes.length - place;
    const word = ((bytes[place] ?? 0) << 16) | ((bytes[place + 1] ?? 0) << 8) | (bytes[place + 2] ?? 0);
    text += ALPHABET.charAt(word >> 18) + ALPHABET.charAt((word >> 12) & 63);
    text += left > 1 ? ALPHABET.charAt((word >> 6) & 63) : '=';
    text += left > 2 ? ALPHABET.charAt(word & 63) : '=';
  }
  return text;
}

/** Base64 for URLs, without padding (RFC 4648 §5). */
export const toBase64Url = (bytes: Uint8Array): string => toBase64(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');

/** Reads standard base64 strictly: padding in place, no stray bits, nothing else. */
export function fromBase64(text: string): Uint8Array {
  const bytes: number[] = [];
  if (text.length % 4 !== 0) throw new Error('not base64');
  const digits = text.replace(/={1,2}$/, '');
  let word = 0;
  let bits = 0;
  for (const digit of digits) {
    const value = ALPHABET.indexOf(digit);
    if (value < 0) throw new Error('not base64');
    word = ((word << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((word >> bits) & 0xff);
    }
  }
  const result = Uint8Array.from(bytes);
  if (toBase64(result) !== text) throw new Error('not base64');
  return result;
}

/** Reads base64 for URLs, without padding. */
export const fromBase64Url = (text: string): Uint8Array => {
  if (/[+/=]/.test(text)) throw new Error('not base64url');
  return fromBase64(text.replace(/-/g, '+').replace(/_/g, '/') + '='.repeat((4 - (text.length % 4)) % 4));
};
