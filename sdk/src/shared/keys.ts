// Public keys and signatures as the wire has them, read as strictly as the server reads them.

/** Everything before the 65 bytes of the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480). */
const HEADER = Uint8Array.from([0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00]);

const PRIME = BigInt('0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff');
const B = BigInt('0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b');
const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

/** The x of keys whose private half is published: the generator (SEC 2, §2.4.2), and those of RFC 6979 A.2.5, RFC 7515 A.3, RFC 7517 A.1. */
const PUBLISHED = [
  '0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
  '0x60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6',
  '0x7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445',
  '0x30a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e',
].map((x) => BigInt(x));

const number = (bytes: Uint8Array): bigint => {
  let value = BigInt(0);
  for (const byte of bytes) value = (value << BigInt(8)) | BigInt(byte);
  return value;
};

/** What is wrong with a key or a signature; the names are those of the shared vectors. */
export class KeyError extends Error {
  constructor(readonly reason: 'Length' | 'Algorithm' | 'PointFormat' | 'OffCurve' | 'Published' | 'Der' | 'Range') {
    super(`the device gave a key or signature that cannot be used (${reason})`);
    this.name = 'KeyError';
  }
}

/** Checks a SubjectPublicKeyInfo: P-256, uncompressed, on the curve. */
export function checkSpki(spki: Uint8Array): Uint8Array {
  if (spki.length !== HEADER.length + 65) throw new KeyError('Length');
  if (HEADER.some((byte, place) => spki[place] !== byte)) throw new KeyError('Algorithm');
  if (spki[HEADER.length] !== 4) throw new KeyError('PointFormat');
  const x = number(spki.subarray(HEADER.length + 1, HEADER.length + 33));
  const y = number(spki.subarray(HEADER.length + 33));
  const onCurve = x < PRIME && y < PRIME && (y * y - (x * x * x - BigInt(3) * x + B)) % PRIME === BigInt(0);
  if (!onCurve) throw new KeyError('OffCurve');
  if (PUBLISHED.includes(x)) throw new KeyError('Published');
  return spki;
}

/** A SubjectPublicKeyInfo from itself, or from the 65 bytes of a point, which is what iOS exports. */
export function spkiOf(key: Uint8Array): Uint8Array {
  if (key.length !== 65) return checkSpki(key);
  const spki = new Uint8Array(HEADER.length + 65);
  spki.set(HEADER);
  spki.set(key, HEADER.length);
  return checkSpki(spki);
}

/** SEQUENCE { INTEGER r, INTEGER s } from r and s side by side, which is what WebCrypto makes. */
export function derOf(raw: Uint8Array): Uint8Array {
  if (raw.length !== 64) throw new KeyError('Length');
  const body = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))];
  return checkDer(Uint8Array.from([0x30, body.length, ...body]));
}

function integer(bytes: Uint8Array): number[] {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = [...bytes.subarray(start)];
  if ((digits[0] ?? 0) & 0x80) digits.unshift(0);
  return [0x02, digits.length, ...digits];
}

/** Checks that a signature is strict DER with both numbers in their range. */
export function checkDer(der: Uint8Array): Uint8Array {
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || der.length > 129) throw new KeyError('Der');
  const [r, afterR] = readInteger(der, 2);
  const [s, end] = readInteger(der, afterR);
  if (end !== der.length) throw new KeyError('Der');
  for (const value of [r, s]) if (value === BigInt(0) || value >= ORDER) throw new KeyError('Range');
  return der;
}

function readInteger(der: Uint8Array, place: number): [bigint, number] {
  const length = der[place + 1] ?? 0;
  const [first, second] = [der[place + 2] ?? 0, der[place + 3] ?? 0];
  const end = place + 2 + length;
  const padded = first === 0 && length > 1 && second < 0x80;
  if (der[place] !== 0x02 || length === 0 || length > 0x7f || end > der.length || first >= 0x80 || padded) throw new KeyError('Der');
  return [number(der.subarray(place + 2, end)), end];
}
