// A push and an app that asks for itself, with our phone, our screen and our backend, against the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryKeyStore, Stepup as Phone } from 'stepup-sdk/mobile';
import { Stepup } from 'stepup-sdk/server';
import { Stepup as Screen } from 'stepup-sdk/web';
import { ELSEWHERE_ASKS_FOR_THE_NUMBER, folderWith, startDemo, withDemo } from '../../tests/e2e/harness.mjs';
import { approvalOf, enrolmentToken, kiosk, open, withdrawal } from './support.mjs';

let demo;
let stepup;

withDemo(Stepup, (started, backend) => { [demo, stepup] = [started, backend]; });

/** A phone of `userId` that has enrolled its key of one kind. */
async function enrolled(userId, kind, options = {}) {
  const phone = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore(), platform: 'android', ...options });
  const added = await phone[kind].addCredential({ token: await enrolmentToken(stepup, userId), ...(kind === 'push' ? { pushToken: 'fcm/1' } : {}) });
  assert.equal(added.data?.userId, userId, JSON.stringify(added));
  return phone;
}

/** The page of a tracked withdrawal, which has sent the push. */
async function page(userId) {
  const { token } = await withdrawal(stepup, userId);
  const screen = new Screen({ tenantId: demo.tenantId, baseUrl: demo.baseUrl });
  screen.setToken(token);
  const { challengeId } = (await screen.push.challenge()).data;
  return { screen, challengeId, token, look: async () => (await screen.push.verify({ challengeId })).data };
}

for (const signatureVersion of [1, 2]) {
  test(`version ${signatureVersion}: a push is shown, approved, validated once; another is rejected`, async () => {
    const userId = `push-${signatureVersion}`;
    const phone = await enrolled(userId, 'push', { signatureVersion });
    assert.deepEqual(await phone.push.getChallenge(), { data: undefined });
    const { challengeId, look } = await page(userId);
    const { data: asked } = await phone.push.getChallenge();
    assert.equal(asked.challengeId, challengeId);
    assert.equal(asked.actionCode, 'withdrawal');
    assert.equal(typeof asked.expiresAt, 'number');
    assert.equal(asked.context?.bind.find(({ field }) => field === 'amount')?.value, signatureVersion === 2 ? '250.00 EUR' : undefined);
    // To look takes nothing from anybody.
    assert.deepEqual([(await look()).state, (await look()).isVerified], ['unclaimed', false]);
    assert.deepEqual(await phone.push.updateChallenge({ challengeId, approved: true }), { data: true });
    assert.deepEqual(await phone.push.getChallenge(), { data: undefined });
    const { token } = await look();
    assert.equal(approvalOf(token).acr, signatureVersion === 2 ? 'qr.linked' : 'qr.compat');
    assert.equal(approvalOf(token).link, signatureVersion === 2 ? 'signed' : 'server');
    const valid = await stepup.validateChallenge({ token, action: 'withdrawal', userId });
    assert.deepEqual([valid.isValid, valid.verificationMethod], [true, 'PUSH']);

    const second = await page(userId);
    await phone.push.getChallenge();
    assert.deepEqual(await phone.push.updateChallenge({ challengeId: second.challengeId, approved: false }), { data: false });
    assert.equal((await second.look()).state, 'rejected');
  });

  test(`version ${signatureVersion}: an app confirms a tracked action, or one that it names`, async () => {
    const userId = `app-${signatureVersion}`;
    const phone = await enrolled(userId, 'inApp', { signatureVersion });
    assert.equal((await phone.inApp.verify()).errorCode, 'token_not_set');
    phone.setToken((await withdrawal(stepup, userId)).url);
    let shown;
    const { data } = await phone.inApp.verify({ confirm: (request) => Boolean((shown = request)) });
    assert.equal(data.userId, userId);
    assert.equal(shown?.context.bind.find(({ field }) => field === 'payee')?.value, signatureVersion === 2 ? 'p1' : undefined);
    assert.equal(approvalOf(data.token).acr, signatureVersion === 2 ? 'qr.linked' : 'qr.compat');
    assert.equal((await stepup.validateChallenge({ token: data.token, action: 'withdrawal', userId })).isValid, true);

    const named = (await phone.inapp.verify({ action: 'kiosk_login' })).data;
    const valid = await stepup.validateChallenge({ token: named.token, action: 'kiosk_login' });
    assert.deepEqual([valid.isValid, valid.userId], [true, userId]);
  });
}

test('a no in the app is told to the server', async () => {
  const phone = await enrolled('app-no', 'inApp');
  const { token, idempotencyKey } = await withdrawal(stepup, 'app-no');
  phone.setToken(token);
  assert.equal((await phone.inApp.verify({ confirm: async () => false })).errorCode, 'user_canceled');
  assert.equal((await stepup.getAction({ userId: 'app-no', action: 'withdrawal', idempotencyKey })).state, 'CHALLENGE_FAILED');
});

test('the keys of two people and of three kinds on one phone are apart', async () => {
  const keyStore = memoryKeyStore();
  const phone = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore });
  for (const username of ['uma', 'udo']) {
    assert.ok((await phone.inApp.addCredential({ token: await enrolmentToken(stepup, username), username })).data);
  }
  assert.equal((await phone.inApp.verify({ action: 'kiosk_login', username: 'uma' })).data.userId, 'uma');
  assert.equal((await phone.inApp.verify({ action: 'kiosk_login', username: 'udo' })).data.userId, 'udo');
  assert.equal((await phone.inApp.removeCredential({ username: 'uma' })).data, true);
  assert.equal((await phone.inApp.getCredential({ username: 'uma' })).data, undefined);
  assert.equal((await phone.inApp.getCredential({ username: 'udo' })).data.userId, 'udo');
  for (const kind of ['qr', 'push']) assert.deepEqual(await phone[kind].getCredential(), { data: undefined });
});

test('a phone says where messages to it go', async () => {
  const phone = await enrolled('moves', 'push');
  const updated = await phone.push.updateCredential({ pushToken: 'fcm/2', resetExpiry: true });
  assert.deepEqual([updated.data?.pushToken, updated.data?.userId], ['fcm/2', 'moves'], JSON.stringify(updated));
});

test('another phone of the person may answer what this one looked at, and then it is too late', async () => {
  const first = await enrolled('two-phones', 'push');
  // The pack has the phone that is there say yes to another one.
  const token = await enrolmentToken(stepup, 'two-phones');
  const asking = new Screen({ tenantId: demo.tenantId, baseUrl: demo.baseUrl });
  asking.setToken(token);
  const enrolment = (await asking.push.challenge()).data;
  await first.push.getChallenge();
  assert.equal((await first.push.updateChallenge({ ...enrolment, approved: true })).data, true);
  const second = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore() });
  assert.ok((await second.push.addCredential({ token, pushToken: 'fcm/2' })).data);
  const { challengeId } = await page('two-phones');
  for (const phone of [first, second]) assert.equal((await phone.push.getChallenge()).data.challengeId, challengeId);
  assert.equal((await second.push.updateChallenge({ challengeId, approved: true })).data, true);
  assert.equal((await first.push.updateChallenge({ challengeId, approved: true })).errorCode, 'challenge_already_claimed');
});

test('a phone answers no push that it has not shown, and signs nothing else than it showed', async () => {
  const phone = await enrolled('unseen', 'push');
  const { challengeId, look } = await page('unseen');
  assert.equal((await phone.push.updateChallenge({ challengeId, approved: true })).errorCode, 'not_shown');
  assert.equal((await phone.push.updateChallenge({ challengeId: '2992401.0', approved: true })).errorCode, 'invalid_request');
  await phone.push.getChallenge();
  // Somebody in between gives another payee to sign than was shown.
  await meddling((path, answer) => {
    if (!path.endsWith('/challenge/claim')) return answer;
    const text = Buffer.from(answer.context, 'base64url').toString().replaceAll('"p1"', '"p2"');
    return { ...answer, context: Buffer.from(text).toString('base64url') };
  }, async () => {
    assert.equal((await phone.push.updateChallenge({ challengeId, approved: true })).errorCode, 'invalid_answer');
  });
  assert.equal((await look()).state, 'claimed');
  // Or a text that would be a signature for something else.
  for (const message of [challengeId, '2992401.0', `stepup/v2/decide\n`, 'stepup/push/pending AAAAAAAAAAAAAAAAAAAAAA\nmore']) {
    await meddling((path, answer) => (path.endsWith('/sign') ? { ...answer, message } : answer), async () => {
      assert.equal((await phone.push.getChallenge()).errorCode, 'invalid_answer', message);
      assert.equal((await phone.push.updateCredential({ pushToken: 'x' })).errorCode, 'invalid_answer', message);
    });
  }
});

test('a policy asks for the number of the page: right, wrong, and wrong three times', async () => {
  const [usual, backend] = [demo, stepup];
  demo = await startDemo({ cwd: folderWith(ELSEWHERE_ASKS_FOR_THE_NUMBER) });
  stepup = new Stepup({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl });
  try {
    const phone = await enrolled('numbers', 'push');
    const asked = async () => {
      const { challengeId, look } = await page('numbers');
      await phone.push.getChallenge();
      const answer = (verificationCode) => phone.push.updateChallenge({ challengeId, approved: true, verificationCode });
      assert.equal((await answer()).errorCode, 'code_required');
      const { matchCode } = await look();
      assert.match(matchCode, /^\d\d$/);
      const wrong = String((Number(matchCode) + 1) % 100).padStart(2, '0');
      assert.equal((await answer(wrong)).errorCode, 'wrong_code');
      return { answer, matchCode, wrong, look };
    };
    const right = await asked();
    assert.deepEqual(await right.answer(right.matchCode), { data: true });
    assert.equal((await right.look()).isVerified, true);
    const over = await asked();
    for (const code of [`${over.wrong}0`, `${over.wrong}00`]) assert.equal((await over.answer(code)).errorCode, 'wrong_code');
    assert.equal((await over.answer(over.matchCode)).errorCode, 'challenge_already_answered');
    assert.equal((await over.look()).state, 'rejected');
    // A stock phone's signature would not cover the number, and an app has no other screen.
    const stock = await enrolled('stock', 'push', { signatureVersion: 1 });
    const { challengeId } = await page('stock');
    assert.equal((await stock.push.updateChallenge({ challengeId, approved: true })).errorCode, 'protocol_too_old');
    const app = await enrolled('app', 'inApp');
    app.setToken((await withdrawal(stepup, 'app')).token);
    assert.equal((await app.inApp.verify()).errorCode, 'action_blocked');
  } finally {
    await demo.stop();
    [demo, stepup] = [usual, backend];
  }
});

test('a key is replaced when the server has taken the new one, and not before', async () => {
  const keyStore = memoryKeyStore();
  const phone = await enrolled('keeps', 'qrCode', { keyStore });
  const first = (await phone.qrCode.getCredential()).data.credentialId;
  const answers = async (screen) => {
    await phone.qrCode.claimChallenge(screen);
    return (await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true })).data;
  };
  const approves = async () => answers(await kiosk(demo));
  /** A token for another key: the one that is there says yes to it. */
  const further = async () => {
    const token = await enrolmentToken(stepup, 'keeps');
    assert.equal(await answers(await open(demo, token)), true);
    return token;
  };
  // The server refuses: this token's action is challenged, and the challenge is not passed.
  const { token } = await withdrawal(stepup, 'keeps', { scope: 'add:authenticators' });
  assert.equal((await phone.qrCode.addCredential({ token })).errorCode, 'forbidden');
  assert.equal(await approves(), true);
  // The connection breaks, and the store cannot write.
  const good = await further();
  const honest = globalThis.fetch;
  globalThis.fetch = (url, request) => (url.endsWith('/user-authenticators/qr-code') ? Promise.reject(new TypeError('the line is dead')) : honest(url, request));
  assert.equal((await phone.qrCode.addCredential({ token: good })).errorCode, 'network_error');
  globalThis.fetch = honest;
  const { write } = keyStore;
  keyStore.write = async () => { throw new Error('the disk is full'); };
  assert.equal((await phone.qrCode.addCredential({ token: good })).errorCode, 'sdk_error');
  keyStore.write = write;
  assert.equal(await approves(), true);
  assert.equal((await phone.qrCode.getCredential()).data.credentialId, first);
  // And when it takes the new key, that one signs; twice, as two names take turns.
  for (let round = 0; round < 2; round += 1) {
    const added = await phone.qrCode.addCredential({ token: round === 0 ? good : await further() });
    assert.notEqual(added.data?.credentialId, first, JSON.stringify(added));
    assert.equal((await phone.qrCode.getCredential()).data.credentialId, added.data.credentialId);
    assert.equal(await approves(), true);
  }
});

test('a key that an earlier release keeps under the name itself goes on signing', async () => {
  const keyStore = memoryKeyStore();
  const phone = await enrolled('early', 'qrCode', { keyStore });
  const name = `stepup:${demo.tenantId}`;
  const { key, ...before } = JSON.parse(await keyStore.read(name));
  const early = { ...keyStore, sign: (asked, bytes) => (assert.equal(asked, name), keyStore.sign(key, bytes)), read: (asked) => keyStore.read(asked), random: (length) => keyStore.random(length) };
  await keyStore.write(name, JSON.stringify(before));
  const again = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: early });
  const screen = await open(demo, (await withdrawal(stepup, 'early')).token);
  assert.equal((await again.qrCode.claimChallenge(screen)).data?.success, true);
  assert.equal((await phone.qrCode.getCredential()).data.userId, 'early');
});

/** Runs `work` while every answer of the server goes through `change`. */
async function meddling(change, work) {
  const honest = globalThis.fetch;
  globalThis.fetch = async (url, request) => {
    const { pathname } = new URL(url);
    const response = await honest(url, request);
    const answer = await response.json();
    return Response.json(response.ok ? change(pathname, answer) : answer, { status: response.status });
  };
  try {
    await work();
  } finally {
    globalThis.fetch = honest;
  }
}
