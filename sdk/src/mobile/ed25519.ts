// Ed25519 signatures (RFC 8032 §5.1), verified: the server signs its codes with them, and React Native has nothing that could tell.
// Nothing here is secret, so nothing here takes care of how long it takes.

import { sha512 } from '../shared/sha512.js';

const big = (value: number): bigint => BigInt(value);
const [ZERO, ONE, TWO] = [big(0), big(1), big(2)];

/** The field's prime and the order of the base point. */
const P = (ONE << big(255)) - big(19);
const L = (ONE << big(252)) + BigInt('27742317777372353535851937790883648493');

const mod = (value: bigint): bigint => {
  const rest = value % P;
  return rest < ZERO ? rest + P : rest;
};

function power(base: bigint, exponent: bigint): bigint {
  let result = ONE;
  let square = base;
  for (let left = exponent; left > ZERO; left >>= ONE) {
    if (left & ONE) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

const inverse = (value: bigint): bigint => power(value, P - TWO);
const D = mod(big(-121665) * inverse(big(121666)));
const SQRT_OF_MINUS_ONE = power(TWO, (P - ONE) / big(4));

/** A point in extended coordinates: x = X/Z, y = Y/Z, T = XY/Z. */
interface Point {
  x: bigint;
  y: bigint;
  z: bigint;
  t: bigint;
}

const point = (x: bigint, y: bigint): Point => ({ x, y, z: ONE, t: mod(x * y) });
const IDENTITY = point(ZERO, ONE);

/** Complete, so it doubles as well (RFC 8032 §5.1.4). */
function add(one: Point, other: Point): Point {
  const a = mod((one.y - one.x) * (other.y - other.x));
  const b = mod((one.y + one.x) * (other.y + other.x));
  const c = mod(TWO * one.t * other.t * D);
  const d = mod(TWO * one.z * other.z);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { x: mod(e * f), y: mod(g * h), z: mod(f * g), t: mod(e * h) };
}

function times(scalar: bigint, base: Point): Point {
  let result = IDENTITY;
  let double = base;
  for (let left = scalar; left > ZERO; left >>= ONE) {
    if (left & ONE) result = add(result, double);
    double = add(double, double);
  }
  return result;
}

const number = (bytes: Uint8Array): bigint => {
  let value = ZERO;
  for (let place = bytes.length - 1; place >= 0; place -= 1) value = (value << big(8)) | big(bytes[place] ?? 0);
  return value;
};

/** The x of a y, with this lowest bit; nothing if the point is not on the curve. */
function xOf(y: bigint, sign: bigint): bigint | undefined {
  const square = mod(y * y);
  const wanted = mod((square - ONE) * inverse(mod(D * square + ONE)));
  let x = power(wanted, (P + big(3)) / big(8));
  if (mod(x * x) !== wanted) x = mod(x * SQRT_OF_MINUS_ONE);
  if (mod(x * x) !== wanted || (x === ZERO && sign === ONE)) return undefined;
  return (x & ONE) === sign ? x : P - x;
}

function decoded(bytes: Uint8Array): Point | undefined {
  const value = number(bytes);
  const sign = value >> big(255);
  const y = value - (sign << big(255));
  if (y >= P) return undefined;
  const x = xOf(y, sign);
  return x === undefined ? undefined : point(x, y);
}

function encoded({ x, y, z }: Point): bigint {
  const back = inverse(z);
  return mod(y * back) | ((mod(x * back) & ONE) << big(255));
}

const BASE_Y = mod(big(4) * inverse(big(5)));
const BASE = point(xOf(BASE_Y, ZERO) ?? ZERO, BASE_Y);

/** Whether the key made the signature of the message. A spelling that is not the shortest is no signature. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = decoded(publicKey);
  const half = signature.subarray(0, 32);
  const scalar = number(signature.subarray(32));
  if (!key || scalar >= L) return false;
  const hash = number(sha512(Uint8Array.from([...half, ...publicKey, ...message]))) % L;
  const expected = add(times(scalar, BASE), times(L - hash, key));
  return encoded(expected) === number(half);
}
