// What the phone says to Stepup: enrolling a key, claiming a challenge, answering it (version 2 signatures).

import { bytesOf, fromBase64, fromBase64Url, random, textOf, toBase64Url } from './bytes.js';
import { digest, generate, keep, publicKey, sign } from './key.js';
import { readPayload } from './qr.js';
import { call, claims } from './wire.js';

const BASE = '/v1/client/user-authenticators/qr-code';

/** A version 2 message: the purpose first, then `name=value` lines in a fixed order, LF after each. */
const message = (purpose, lines) => [`stepup/v2/${purpose}`, ...lines.map(([name, value]) => `${name}=${value}`)].map((line) => `${line}\n`).join('');

/** The key that goes with a token: the same at each try, for an answer that was lost may have let it in. */
const pairs = new Map();

/** Enrols this phone under the token's user and keeps the key. Recovery codes, if the user got some, are for the person to keep. */
export async function enrol(token, name) {
  const { aud, iss, sub } = claims(token);
  const pair = pairs.get(token) ?? (await generate());
  pairs.set(token, pair);
  const key = await publicKey(pair);
  const { nonce } = await call('POST', '/v1/client/challenge', { bearer: token, body: {} });
  const text = message('enroll', [
    ['iss', iss],
    ['tenant', aud],
    ['nonce', nonce],
    ['key', await digest(fromBase64(key))],
    ['token', await digest(bytesOf(token))],
  ]);
  const made = await call('POST', BASE, {
    bearer: token,
    body: { version: 2, publicKey: key, deviceName: name, devicePlatform: 'web', nonce, signature: await sign(pair, text), recoveryCodes: true },
  });
  const credential = { id: made.userAuthenticatorId, tenant: aud, issuer: iss, user: made.userId ?? sub, name, pair, publicKey: key, qrKeys: made.qrKeys ?? [], since: new Date().toISOString() };
  await keep(credential);
  pairs.delete(token);
  return { credential, recoveryCodes: made.recoveryCodes ?? [] };
}

/** What is in a scanned text: `{ enrol }`, `{ challenge, code }`, `{ fault }`, or nothing if it is not one of ours. */
export async function scanned(text, known) {
  const id = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
  if (id.test(text)) return { challenge: text.toLowerCase() };
  let address;
  try {
    address = new URL(text);
  } catch {
    return undefined;
  }
  if (address.origin !== location.origin) return undefined;
  if (address.pathname.startsWith('/q/')) {
    const read = (credentials) => readPayload(address.pathname.slice(3), credentials.flatMap(({ qrKeys }) => qrKeys ?? []), Date.now());
    const what = await read(known);
    if (what.fault !== 'unknown') return what;
    // The key for codes has changed while this phone was not used: the server is asked once, and nothing of the code is sent.
    const again = await read(await Promise.all(known.map(relearned)));
    return again.fault === 'unknown' ? { fault: 'foreign' } : again;
  }
  const values = new URLSearchParams(address.hash.slice(1));
  if (values.has('enrol')) return { enrol: values.get('enrol') };
  if (id.test(values.get('c') ?? '')) return { challenge: values.get('c').toLowerCase() };
  return undefined;
}

/** Pins the keys for codes that an answer names, so that the next one is known before it signs. */
async function learn(credential, qrKeys) {
  if (!qrKeys || JSON.stringify(qrKeys) === JSON.stringify(credential.qrKeys)) return credential;
  const learned = { ...credential, qrKeys };
  // What was answered counts though it cannot be kept.
  await keep(learned).catch(() => undefined);
  return learned;
}

/** The credential with the keys for codes that the server has now; as it is if that cannot be asked. */
async function relearned(credential) {
  try {
    const { nonce } = await call('POST', '/v1/client/challenge', { tenant: credential.tenant, body: {} });
    const text = message('auth', [['method', 'GET'], ['path', BASE], ['body', await digest(bytesOf(''))], ['nonce', nonce]]);
    const query = new URLSearchParams({ publicKey: btoa(credential.publicKey), version: 2, nonce });
    const headers = { 'X-Authsignal-Signature': await sign(credential.pair, text) };
    const { qrKeys } = await call('GET', `${BASE}?${query}`, { tenant: credential.tenant, headers });
    return await learn(credential, qrKeys);
  } catch {
    return credential;
  }
}

/** Claims the challenge and returns what the phone must show, read from the very bytes that will be signed. */
export async function claim(credential, { challenge, code = '' }) {
  const nonce = toBase64Url(random(16));
  const text = message('claim', [
    ['iss', credential.issuer],
    ['tenant', credential.tenant],
    ['challenge', challenge],
    ['credential', credential.id],
    ['qr', code],
    ['nonce', nonce],
  ]);
  const answer = await call('POST', `${BASE}/challenge/claim`, {
    tenant: credential.tenant,
    body: { version: 2, challengeId: challenge, publicKey: credential.publicKey, signature: await sign(credential.pair, text), nonce, ...(code ? { qr: code } : {}) },
  });
  await learn(credential, answer.qrKeys);
  const bytes = fromBase64Url(answer.context);
  return { challenge, claim: answer.claim, bytes, context: JSON.parse(textOf(bytes)), needsCode: answer.needsCode === true, phonesAdded: answer.phonesAdded ?? [] };
}

/** Signs and sends the answer. */
export async function decide(credential, claimed, approved, code = '') {
  const text = message('decide', [
    ['iss', credential.issuer],
    ['tenant', credential.tenant],
    ['challenge', claimed.challenge],
    ['credential', credential.id],
    ['claim', claimed.claim],
    ['ctx', await digest(claimed.bytes)],
    ['decision', approved ? 'approve' : 'reject'],
    ['code', code],
  ]);
  return call('POST', `${BASE}/challenge`, {
    tenant: credential.tenant,
    body: { version: 2, challengeId: claimed.challenge, publicKey: credential.publicKey, approved, signature: await sign(credential.pair, text), verificationCode: code || null },
  });
}
