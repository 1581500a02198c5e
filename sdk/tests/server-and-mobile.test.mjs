// A backend and a phone with our packages, against the real server.

import assert from 'node:assert/strict';
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { memoryKeyStore, reactNativeKeyStore, Stepup as Phone } from 'stepup-sdk/mobile';
import { Stepup, StepupError } from 'stepup-sdk/server';
import { Stepup as Screen } from 'stepup-sdk/web';
import { withDemo } from '../../tests/e2e/harness.mjs';
import { approvalOf, enrolledPhone, enrolmentToken, open, poll, withdrawal } from './support.mjs';

let demo;
let stepup;

withDemo(Stepup, (started, backend) => { [demo, stepup] = [started, backend]; });

test('CommonJS has the same doors', () => {
  const require = createRequire(import.meta.url);
  assert.equal(typeof require('stepup-sdk/server').Stepup, 'function');
  assert.equal(typeof require('stepup-sdk/mobile').Stepup, 'function');
  assert.equal(typeof require('stepup-sdk/web').Stepup, 'function');
});

test('nothing else is installed, and each door has its types in both forms', async () => {
  const root = new URL('../', import.meta.url);
  const manifest = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'bundledDependencies']) {
    assert.equal(manifest[kind], undefined, kind);
  }
  for (const [door, forms] of Object.entries(manifest.exports)) {
    for (const file of Object.values(forms)) {
      const source = await readFile(new URL(file, root), 'utf8');
      const foreign = source.match(/(?:from|require\()\s*['"](?![./]|node:)/);
      assert.equal(foreign, null, `${door}: ${file}`);
      await access(new URL(file.replace(/\.js$/, '.d.ts'), root));
    }
  }
});

test('track, read, list, update; the same key gives the same answer', async () => {
  const sent = { userId: 'ann', action: 'sign_in', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', idempotencyKey: 'first', custom: { outcome: 'succeeded' } } };
  const tracked = await stepup.track(sent);
  assert.equal(tracked.state, 'ALLOW');
  assert.equal(tracked.outcome, 'allow');
  assert.equal((await stepup.track(sent)).decisionId, tracked.decisionId);
  const key = { userId: 'ann', action: 'sign_in', idempotencyKey: 'first' };
  assert.equal((await stepup.getAction(key)).state, 'ALLOW');
  assert.equal((await stepup.updateAction({ ...key, attributes: { state: 'REVIEW_SUCCEEDED' } })).state, 'REVIEW_SUCCEEDED');
  const listed = await stepup.queryUserActions({ userId: 'ann', actionCodes: ['sign_in'], state: 'REVIEW_SUCCEEDED' });
  assert.deepEqual(listed.map(({ idempotencyKey }) => idempotencyKey), ['first']);
});

test('users, whatever stands in their ids', async () => {
  const userId = 'auth0|a b/c?d#é';
  assert.equal((await stepup.getUser({ userId })).isEnrolled, false);
  await stepup.updateUser({ userId, attributes: { email: 'carl@example.com', custom: { tier: 'gold' } } });
  assert.equal((await stepup.getUser({ userId })).email, 'carl@example.com');
  assert.deepEqual((await stepup.queryUsers({ email: 'carl@example.com' })).users.map((user) => user.userId), [userId]);
  await stepup.deleteUser({ userId });
  assert.equal((await stepup.getUser({ userId })).email, undefined);
});

test('a refusal is thrown with the words of the server', async () => {
  const wrong = new Stepup({ apiSecretKey: 'wrong', apiUrl: `${demo.baseUrl}/` });
  await assert.rejects(wrong.getUser({ userId: 'ann' }), (error) => error instanceof StepupError && error.statusCode === 401 && error.errorCode === 'unauthorized');
  const nobody = new Stepup({ apiSecretKey: 'x', apiUrl: 'http://127.0.0.1:1/v1', retries: 0 });
  await assert.rejects(nobody.getUser({ userId: 'ann' }), { errorCode: 'network_error', statusCode: 0 });
  await assert.rejects(async () => stepup.getUser({ userId: '..' }), { errorCode: 'invalid_request' });
});

for (const signatureVersion of [1, 2]) {
  test(`version ${signatureVersion}: an enrolment whose answer is lost is sent again, and is one phone`, async () => {
    const userId = `lost-${signatureVersion}`;
    const token = await enrolmentToken(stepup, userId);
    const phone = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore(), signatureVersion });
    const { fetch } = globalThis;
    let sent = 0;
    globalThis.fetch = async (url, init) => {
      const answer = await fetch(url, init);
      if (!String(url).endsWith('/user-authenticators/qr-code')) return answer;
      sent += 1;
      if (sent === 1) throw new TypeError('the connection broke');
      return answer;
    };
    try {
      const { data } = await phone.qrCode.addCredential({ token });
      const known = await stepup.getAuthenticators({ userId });
      assert.deepEqual([sent, known.map(({ userAuthenticatorId }) => userAuthenticatorId)], [2, [data?.credentialId]]);
    } finally {
      globalThis.fetch = fetch;
    }
  });
}

for (const signatureVersion of [1, 2]) {
  test(`version ${signatureVersion}: enrol, claim, approve; the token validates once; remove`, async () => {
    const userId = `version-${signatureVersion}`;
    const phone = await enrolledPhone(demo, stepup, userId, { signatureVersion });
    assert.equal((await phone.qrCode.getCredential()).data.userId, userId);
    assert.equal((await stepup.getAuthenticators({ userId })).length, 1);
    const tracked = await withdrawal(stepup, userId);
    const screen = await open(demo, tracked.token);
    assert.equal((await stepup.getChallenge({ userId })).challengeId, screen.challengeId);
    const claimed = (await phone.qrCode.claimChallenge(screen)).data;
    assert.equal(claimed.success, true);
    assert.equal(claimed.actionCode, 'withdrawal');
    if (signatureVersion === 2) {
      assert.equal(claimed.context.user, userId);
      assert.deepEqual(claimed.context.bind.find(({ field }) => field === 'amount')?.value, '250.00 EUR');
    } else assert.equal(claimed.context, undefined);
    assert.equal((await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true })).data, true);
    const { accessToken } = await poll(demo, screen);
    const expected = { token: accessToken, action: 'withdrawal', userId };
    assert.equal((await stepup.validateChallenge({ ...expected, userId: 'somebody-else' })).isValid, false);
    assert.equal((await stepup.validateChallenge({ ...expected, expect: { amount: { value: '250.01', currency: 'EUR' } } })).isValid, false);
    const valid = await stepup.validateChallenge({ ...expected, expect: { amount: { value: '250.00', currency: 'EUR' } } });
    assert.deepEqual([valid.isValid, valid.state, valid.action], [true, 'CHALLENGE_SUCCEEDED', 'withdrawal']);
    const again = await stepup.validateChallenge(expected);
    assert.deepEqual([again.isValid, again.alreadyValidated], [false, true]);
    assert.equal(approvalOf(accessToken).acr, signatureVersion === 2 ? 'qr.linked' : 'qr.compat');
    assert.equal((await phone.qrCode.removeCredential()).data, true);
    assert.equal((await phone.qrCode.getCredential()).data, undefined);
    assert.deepEqual(await stepup.getAuthenticators({ userId }), []);
  });
}

test('an approval begins a session; its refresh tokens work once; it can be ended', async () => {
  const phone = await enrolledPhone(demo, stepup, 'sess');
  const screen = await open(demo, (await withdrawal(stepup, 'sess')).token);
  await phone.qrCode.claimChallenge(screen);
  await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true });
  const { accessToken: token } = await poll(demo, screen);
  await assert.rejects(stepup.createSession({ clientId: 'nobody', token }), { errorCode: 'invalid_configuration' });
  const first = await stepup.createSession({ clientId: 'demo', token, action: 'withdrawal' });
  const standing = await stepup.validateSession({ accessToken: first.accessToken, clientIds: ['demo'] });
  assert.equal(standing.user.userId, 'sess');
  assert.equal(standing.expiresAt, approvalOf(first.accessToken).exp);
  assert.equal((await stepup.validateChallenge({ token })).isValid, false);
  const second = await stepup.refreshSession(first);
  assert.notEqual(second.refreshToken, first.refreshToken);
  await stepup.revokeSession(second);
  await assert.rejects(stepup.validateSession(second), { errorCode: 'invalid_token', statusCode: 401 });
  await stepup.revokeUserSessions({ userId: 'sess' });
});

test('a person who asks for recovery codes gets ten once, and a new phone takes the place of the lost one', async () => {
  const { token } = await stepup.track({ userId: 'ruth', action: 'device_enrol', attributes: { deviceId: 'phone-of-ruth', ipAddress: '81.2.69.142', scope: 'add:authenticators' } });
  const lost = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore() });
  const { data } = await lost.qrCode.addCredential({ token, showsRecoveryCodes: true });
  assert.equal(data.recoveryCodes.length, 10);
  assert.equal((await stepup.getUser({ userId: 'ruth' })).recoveryCodesLeft, 10);

  const screen = new Screen({ tenantId: demo.tenantId, baseUrl: demo.baseUrl });
  assert.equal((await screen.recoveryCode.verify({ code: data.recoveryCodes[0] })).errorCode, 'token_not_set');
  screen.setToken((await withdrawal(stepup, 'ruth')).url);
  assert.equal((await screen.recoveryCode.verify({ code: 'nonsense' })).errorCode, 'invalid_recovery_code');
  assert.equal((await screen.recoveryCode.verify({ code: data.recoveryCodes[0] })).errorCode, 'recovery_not_enough');
  const recovered = (await screen.recoveryCode.verify({ code: data.recoveryCodes[0], purpose: 'enrolment' })).data;
  assert.equal(recovered.recoveryCodesLeft, 9);
  const found = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore() });
  assert.equal((await found.qrCode.addCredential({ token: recovered.enrolmentToken, showsRecoveryCodes: true })).data.recoveryCodes, undefined);
  assert.equal((await lost.qrCode.getCredential()).errorCode, 'invalid_credential');

  // A code stands in for the phone where nothing is bound. The token says so.
  const { recoveryCodes } = await stepup.enrollVerifiedAuthenticator({ userId: 'rob', attributes: { verificationMethod: 'RECOVERY_CODE' } });
  const changed = await stepup.track({ userId: 'rob', action: 'password_change', attributes: { ipAddress: '81.2.69.142' } });
  screen.setToken(changed.token);
  const { accessToken } = (await screen.recoveryCode.verify({ code: recoveryCodes[0] })).data;
  const valid = await stepup.validateChallenge({ token: accessToken, action: 'password_change', userId: 'rob' });
  assert.deepEqual([valid.isValid, valid.verificationMethod, valid.acr], [true, 'RECOVERY_CODE', 'recovery_code']);
  // An administrator resets, a backend does not.
  await assert.rejects(stepup.resetUser({ userId: 'rob', reason: 'phone lost', author: 'Kim' }), { errorCode: 'forbidden' });
});

test('a rejection is final, and the action has failed', async () => {
  const phone = await enrolledPhone(demo, stepup, 'rejecting');
  const tracked = await withdrawal(stepup, 'rejecting');
  const screen = await open(demo, tracked.token);
  await phone.qrCode.claimChallenge(screen);
  assert.equal((await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: false })).data, false);
  assert.equal((await poll(demo, screen)).state, 'rejected');
  assert.equal((await stepup.getAction({ userId: 'rejecting', action: 'withdrawal', idempotencyKey: tracked.idempotencyKey })).state, 'CHALLENGE_FAILED');
  assert.equal((await stepup.validateChallenge({ token: tracked.token })).isValid, false);
});

test('a signature over other bytes, by another key, or of the wrong phone is refused', async () => {
  const keyStore = memoryKeyStore();
  let forge = (bytes) => bytes;
  const forging = { ...methods(keyStore), sign: (name, bytes) => keyStore.sign(name, forge(bytes)) };
  const phone = await enrolledPhone(demo, stepup, 'forging', { keyStore: forging });
  const screen = await open(demo, (await withdrawal(stepup, 'forging')).token);

  forge = (bytes) => Uint8Array.of(...bytes, 10);
  assert.equal((await phone.qrCode.claimChallenge(screen)).errorCode, 'invalid_signature');
  forge = (bytes) => bytes;
  assert.ok((await phone.qrCode.claimChallenge(screen)).data.success);
  // The approval of another decision: the person rejected, somebody sends `approved`.
  forge = (bytes) => Buffer.from(Buffer.from(bytes).toString().replace('decision=approve', 'decision=reject'));
  assert.equal((await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true })).errorCode, 'invalid_signature');
  assert.equal((await poll(demo, screen)).state, 'claimed');

  const stranger = await enrolledPhone(demo, stepup, 'stranger');
  const other = await open(demo, (await withdrawal(stepup, 'forging-too')).token);
  assert.ok((await stranger.qrCode.claimChallenge(other)).errorCode);
  assert.equal((await stranger.qrCode.updateChallenge({ challengeId: other.challengeId, approved: true })).errorCode, 'not_claimed');
});

test('a phone signs no text that is not a challenge of this service', async () => {
  const phone = await enrolledPhone(demo, stepup, 'scanning');
  const id = '3a991a14-690c-492b-a5e5-02b9056a4b7d';
  for (const challengeId of ['2992401.0', '', 'stepup/v2/remove\n', `https://evil.example/authenticator#c=${id}`, `${id}\n`]) {
    assert.equal((await phone.qrCode.claimChallenge({ challengeId })).errorCode, 'invalid_qr_code', challengeId);
  }
  assert.equal((await phone.qrCode.claimChallenge({ challengeId: `${demo.origin}/authenticator#c=${id}` })).errorCode, 'challenge_not_found');
});

test('React Native: the module holds the key, and what it gives is checked', async () => {
  const held = new Map();
  const texts = new Map();
  let bad = false;
  const keys = {
    // As iOS exports it: the point alone.
    async createKey(name) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      held.set(name, pair.privateKey);
      return pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(26).toString('base64');
    },
    sign: async (name, bytes) => (bad ? 'AAAA' : createSign('sha256').update(Buffer.from(bytes, 'base64')).sign(held.get(name)).toString('base64')),
    deleteKey: async (name) => void held.delete(name),
    randomBytes: async (length) => randomBytes(length).toString('base64'),
  };
  const storage = { getItem: async (name) => texts.get(name) ?? null, setItem: async (name, text) => void texts.set(name, text), removeItem: async (name) => void texts.delete(name) };
  const phone = await enrolledPhone(demo, stepup, 'native', { keyStore: reactNativeKeyStore({ keys, storage }), platform: 'ios' });
  const screen = await open(demo, (await withdrawal(stepup, 'native')).token);
  assert.ok((await phone.qrCode.claimChallenge(screen)).data.success);
  bad = true;
  assert.match((await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true })).errorDescription, /Der/);
  bad = false;
  assert.equal((await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true })).data, true);
});

test('a token of another tenant makes no key', async () => {
  const phone = new Phone({ tenantId: '00000000-0000-4000-8000-000000000000', baseUrl: demo.baseUrl, keyStore: memoryKeyStore() });
  const { token } = await stepup.track({ userId: 'x', action: 'device_enrol', attributes: { deviceId: 'd', ipAddress: '81.2.69.142', scope: 'add:authenticators' } });
  assert.equal((await phone.qrCode.addCredential({ token })).errorCode, 'invalid_token');
  assert.equal((await phone.qrCode.claimChallenge({ challengeId: '3a991a14-690c-492b-a5e5-02b9056a4b7d' })).errorCode, 'unknown_credential');
});

/** The methods of a store, free of their class. */
const methods = (store) => Object.fromEntries(['create', 'read', 'write', 'remove', 'random'].map((name) => [name, store[name].bind(store)]));

const types = readFileSync(new URL('../src/server/types.ts', import.meta.url), 'utf8');

/** The fields of an interface, its parents' among them: one that is left out is one that nobody who writes TypeScript can read. */
function fieldsOf(name) {
  const found = new RegExp(`^export interface ${name}(?: extends (.+?))? \\{\\n(.*?)^\\}`, 'ms').exec(types);
  assert.ok(found, `there is no interface ${name}`);
  const own = [...found[2].matchAll(/^ {2}(\w+)\??:/gm)].map(([, field]) => field);
  return [...own, ...(found[1]?.split(', ') ?? []).flatMap(fieldsOf)];
}

test('what the server answers on the way of a payment is in the types', async () => {
  const answers = [];
  const told = async (name, asked) => {
    const answer = await asked;
    for (const part of [answer].flat()) answers.push([name, part]);
    return answer;
  };
  const userId = 'typed';
  const phone = await enrolledPhone(demo, stepup, userId);
  const tracked = await told('TrackResponse', withdrawal(stepup, userId, { redirectUrl: 'https://elsewhere.example/' }));
  const screen = await open(demo, tracked.token);
  await told('GetChallengeResponse', stepup.getChallenge({ userId }));
  await phone.qrCode.claimChallenge(screen);
  await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true });
  const { accessToken: token } = await poll(demo, screen);
  await told('ValidateChallengeResponse', stepup.validateChallenge({ token, action: 'sign_in' }));
  assert.equal((await told('ValidateChallengeResponse', stepup.validateChallenge({ token }))).link, 'signed');
  const { idempotencyKey } = tracked;
  await told('GetActionResponse', stepup.getAction({ userId, action: 'withdrawal', idempotencyKey }));
  await told('ActionSummary', stepup.queryUserActions({ userId }));
  await told('UserAuthenticator', stepup.getAuthenticators({ userId }));
  await stepup.updateUser({ userId, attributes: { email: 'ann@shop.example', custom: { tier: 'gold' } } });
  await told('GetUserResponse', stepup.getUser({ userId }));
  await told('UserDevice', stepup.getDevices({ userId }));

  const left = answers.flatMap(([name, answer]) => Object.keys(answer).filter((field) => !fieldsOf(name).includes(field)).map((field) => `${name}.${field}`));
  assert.deepEqual([...new Set(left)], []);
});

test('what the maker says of a key goes along: the keystore is told the nonce, the app the whole enrolment', async () => {
  const memory = memoryKeyStore();
  const told = {};
  const keyStore = {
    ...methods(memory),
    create: (name, challenge) => { told.challenge = challenge; return memory.create(name); },
    sign: (name, bytes) => { told.message ??= bytes; return memory.sign(name, bytes); },
    attest: async (name, hash) => { told.hash = hash; return { provider: 'APP_ATTEST', token: 'dG9rZW4=', keyId: 'a2V5' }; },
  };
  const { fetch } = globalThis;
  const sent = [];
  globalThis.fetch = (url, init) => { sent.push(JSON.parse(init.body)); return fetch(url, init); };
  try {
    const phone = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore });
    const { token } = await stepup.track({ userId: 'vouched', action: 'device_enrol', attributes: { deviceId: 'd-vouched', ipAddress: '81.2.69.142', scope: 'add:authenticators' } });
    sent.length = 0;
    assert.equal((await phone.qrCode.addCredential({ token })).data.userId, 'vouched');
  } finally {
    globalThis.fetch = fetch;
  }
  const { nonce, performAttestation } = sent.at(-1);
  const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
  assert.deepEqual(performAttestation, { provider: 'APP_ATTEST', token: 'dG9rZW4=', keyId: 'a2V5' });
  assert.equal(Buffer.from(told.challenge).toString('hex'), sha256(nonce));
  assert.equal(Buffer.from(told.hash).toString('hex'), sha256(told.message));
});

test('whose a key is, is asked with a signature where the tenant wants one', async () => {
  const phone = await enrolledPhone(demo, stepup, 'signing');
  const { fetch } = globalThis;
  const asked = [];
  globalThis.fetch = (url, init) => {
    asked.push(String(url).slice(demo.baseUrl.length).split('?')[0]);
    if (!String(url).includes('/qr-code?publicKey=') || String(url).includes('version=2')) return fetch(url, init);
    const error = { error: 'protocol_too_old', errorCode: 'protocol_too_old', errorDescription: 'version 2 signatures are needed' };
    return Promise.resolve(new Response(JSON.stringify(error), { status: 400, headers: { 'Content-Type': 'application/json' } }));
  };
  try {
    assert.equal((await phone.qrCode.getCredential()).data.userId, 'signing');
  } finally {
    globalThis.fetch = fetch;
  }
  const path = '/client/user-authenticators/qr-code';
  assert.deepEqual(asked, [path, '/client/challenge', path]);
});
