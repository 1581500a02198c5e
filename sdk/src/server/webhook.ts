// What a webhook must prove before it is believed. Synchronous, as callers of this field's packages expect it.

import { fromBase64, utf8 } from '../shared/bytes.js';
import { sha256 } from '../shared/sha256.js';

/** How far a webhook's time may be from ours, in minutes, and in either direction. */
const TOLERANCE_MIN = 5;
const BLOCK = 64;

/** An event as it was sent. `data` holds texts only. */
export interface WebhookEvent {
  version: number;
  type: string;
  /** The same in every delivery of one event: remember it, because an event may come twice. */
  id: string;
  source: string;
  /** When it happened, RFC 3339. */
  time: string;
  tenantId: string;
  data: Record<string, string>;
}

/** The webhook is not one of ours, or comes too late or too early. */
export class InvalidSignatureError extends Error {
  readonly reason: 'malformed' | 'stale' | 'future' | 'mismatch';

  constructor(reason: InvalidSignatureError['reason'], message: string) {
    super(message);
    this.name = 'InvalidSignatureError';
    this.reason = reason;
  }
}

/** Verifies webhooks of one endpoint. */
export class Webhook {
  readonly #key: Uint8Array;

  /** The secret of the endpoint: its own, or the tenant's API secret. */
  constructor(secret: string) {
    this.#key = utf8(secret);
  }

  /**
   * The event of a webhook: `payload` is the raw body, `signature` the header `X-Signature-V2`. Throws {@link InvalidSignatureError}.
   * A tolerance of 0 minutes or less does not look at the time.
   */
  constructEvent(payload: string, signature: string | null | undefined, tolerance = TOLERANCE_MIN): WebhookEvent {
    const { timestamp, signatures } = parseSignature(signature);
    const late = Math.round(Date.now() / 1000) - timestamp;
    if (tolerance > 0 && late > tolerance * 60) throw new InvalidSignatureError('stale', 'the webhook is too old');
    if (tolerance > 0 && -late > tolerance * 60) throw new InvalidSignatureError('future', 'the webhook is from the future; is this clock right?');
    const computed = hmac(this.#key, utf8(`${timestamp}.${payload}`));
    // Every signature is looked at, so that the time taken says nothing.
    const fits = signatures.map((text) => same(bytesOf(text), computed)).includes(true);
    if (!fits) throw new InvalidSignatureError('mismatch', 'no signature of the webhook fits its body and this secret');
    return JSON.parse(payload) as WebhookEvent;
  }
}

/** Reads `t=<seconds>,v2=<signature>[,v2=<signature>]`; parts that are not known are left out. */
function parseSignature(header: string | null | undefined): { timestamp: number; signatures: string[] } {
  let timestamp: number | undefined;
  const signatures: string[] = [];
  for (const part of (header ?? '').split(',')) {
    const [name, value] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)];
    if (name === 't' && /^\d{1,12}$/.test(value)) timestamp = Number(value);
    if (name === 'v2') signatures.push(value);
  }
  if (timestamp === undefined || signatures.length === 0) throw new InvalidSignatureError('malformed', 'the header X-Signature-V2 is not there or not complete');
  return { timestamp, signatures };
}

/** The bytes of base64 without padding; of anything else, none. */
function bytesOf(text: string): Uint8Array {
  try {
    return text.includes('=') ? new Uint8Array() : fromBase64(text + '='.repeat((4 - (text.length % 4)) % 4));
  } catch {
    return new Uint8Array();
  }
}

/** HMAC-SHA256 (RFC 2104). */
function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const short = key.length > BLOCK ? sha256(key) : key;
  const pad = (byte: number): Uint8Array => Uint8Array.from({ length: BLOCK }, (_, index) => (short[index] ?? 0) ^ byte);
  return sha256(joined(pad(0x5c), sha256(joined(pad(0x36), message))));
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}

/** Whether two digests are equal, in a time that does not depend on where they differ. */
function same(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let place = 0; place < other.length; place += 1) difference |= (one[place] ?? 0) ^ (other[place] ?? 0);
  return difference === 0;
}
