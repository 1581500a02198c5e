// npm @authsignal/node, unmodified: what a backend sees of pushes and of its app, and the traps of the wire that its calls meet.

import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { test } from 'node:test';
import { Authsignal } from '@authsignal/node';
import { withDemo } from './harness.mjs';
import { enrolled } from './phone.mjs';

let demo;
let authsignal;

withDemo(Authsignal, (started, backend) => { [demo, authsignal] = [started, backend]; });

const withdrawal = (userId, attributes = {}) => authsignal.track({ userId, action: 'withdrawal', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { amount: { value: '250.00', currency: 'EUR' }, payee: 'p1' }, ...attributes } });
const signIn = (userId, attributes = {}, to = authsignal) => to.track({ userId, action: 'sign_in', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { outcome: 'succeeded' }, ...attributes } });
const client = (path, token, body) => fetch(`${demo.baseUrl}/client${path}`, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((answer) => answer.json());

for (const [kind, platform] of [['push', 'android'], ['push', 'ios'], ['in-app', 'android'], ['in-app', 'ios']]) {
  test(`${kind} on ${platform}: enrolled, found open, approved, validated and seen in the action`, async () => {
    const userId = `${kind}-${platform}`;
    const phone = await enrolled(demo, authsignal, userId, platform, kind);
    const [authenticator, ...others] = await authsignal.getAuthenticators({ userId });
    assert.deepEqual([others, authenticator.userAuthenticatorId], [[], phone.credential.userAuthenticatorId]);
    const method = kind === 'push' ? 'PUSH' : 'DEVICE';
    assert.equal(authenticator.verificationMethod, method);
    const user = await authsignal.getUser({ userId });
    assert.deepEqual([user.isEnrolled, user.enrolledVerificationMethods], [true, [method]]);

    const { token, idempotencyKey, state } = await withdrawal(userId);
    assert.equal(state, 'CHALLENGE_REQUIRED');
    let result;
    if (kind === 'push') {
      const { challengeId } = await client('/challenge/push', token, { action: 'withdrawal' });
      for (const asked of [{ challengeId }, { userId, action: 'withdrawal' }, { userId, verificationMethod: 'PUSH' }]) {
        const open = await authsignal.getChallenge(asked);
        assert.deepEqual([open.challengeId, open.verificationMethod, open.action], [challengeId, 'PUSH', 'withdrawal'], JSON.stringify(asked));
        assert.ok(Number.isInteger(open.expiresAt) && open.expiresAt > Date.now() / 1000 && open.expiresAt < 2 ** 31);
      }
      assert.equal((await phone.answer(challengeId, true)).json.isVerified, true);
      result = (await client('/verify/push', token, { challengeId })).accessToken;
    } else {
      const { json } = await phone.verifyInApp({ token });
      assert.equal(json.userId, userId, JSON.stringify(json));
      result = json.token;
    }
    assert.deepEqual(await authsignal.getChallenge({ userId, action: 'withdrawal' }), {});
    assert.equal((await authsignal.validateChallenge({ token: result, action: 'sign_in', userId })).isValid, false);
    const valid = await authsignal.validateChallenge({ token: result, action: 'withdrawal', userId });
    assert.deepEqual([valid.isValid, valid.state, valid.verificationMethod, valid.idempotencyKey], [true, 'CHALLENGE_SUCCEEDED', method, idempotencyKey]);
    const [listed] = await authsignal.queryUserActions({ userId, actionCodes: ['withdrawal'], state: 'CHALLENGE_SUCCEEDED' });
    assert.deepEqual([listed.verificationMethod, listed.verifiedByAuthenticatorId], [method, authenticator.userAuthenticatorId]);
    await authsignal.deleteAuthenticator({ userId, userAuthenticatorId: authenticator.userAuthenticatorId });
    assert.equal((await phone.getCredential()).json.errorCode, 'invalid_credential');
    assert.equal((await authsignal.getUser({ userId })).isEnrolled, false);
  });
}

test('an app names an action, and the backend learns from the token who it was', async () => {
  const phone = await enrolled(demo, authsignal, 'named', 'ios', 'in-app');
  const { json } = await phone.verifyInApp({ action: 'kiosk_login' });
  const valid = await authsignal.validateChallenge({ token: json.token, action: 'kiosk_login' });
  assert.deepEqual([valid.isValid, valid.userId], [true, 'named']);
});

test('a track whose answer is lost is sent again by the package, and is one attempt', async () => {
  let sent = 0;
  // Lets every request through, and breaks the connection before the first answer comes back.
  const between = createServer((from, answer) => {
    const parts = [];
    from.on('data', (part) => parts.push(part));
    from.on('end', () => {
      const onward = request(`${demo.origin}${from.url}`, { method: from.method, headers: from.headers }, (reply) => {
        sent += 1;
        const got = [];
        reply.on('data', (part) => got.push(part));
        reply.on('end', () => (sent === 1 ? answer.destroy() : answer.writeHead(reply.statusCode, reply.headers).end(Buffer.concat(got))));
      });
      onward.end(Buffer.concat(parts));
    });
  });
  await new Promise((done) => { between.listen(0, '127.0.0.1', done); });
  try {
    const through = new Authsignal({ apiSecretKey: demo.apiSecret, apiUrl: `http://127.0.0.1:${between.address().port}/v1` });
    const { state, idempotencyKey } = await signIn('lost', { idempotencyKey: 'once' }, through);
    assert.deepEqual([state, idempotencyKey, sent], ['ALLOW', 'once', 2]);
    assert.equal((await authsignal.queryUserActions({ userId: 'lost' })).length, 1);
  } finally {
    between.closeAllConnections();
    between.close();
  }
});

test('a slash at the end of the base URL changes nothing', async () => {
  const slashed = new Authsignal({ apiSecretKey: demo.apiSecret, apiUrl: `${demo.baseUrl}/` });
  assert.equal((await signIn('slashed', {}, slashed)).state, 'ALLOW');
  assert.equal((await slashed.getUser({ userId: 'slashed' })).isEnrolled, false);
});

test('user ids of other systems are one user, whatever the package does to them', async () => {
  for (const userId of ['auth0|5f7c8ec7c33c6c004bbafe82', 'google-oauth2|1', 'a b', 'ann@example.com', 'Zoë']) {
    await authsignal.updateUser({ userId, attributes: { username: `name of ${userId}` } });
    assert.equal((await authsignal.getUser({ userId })).username, `name of ${userId}`);
    await signIn(userId, { idempotencyKey: 'k' });
    assert.equal((await authsignal.getAction({ userId, action: 'sign_in', idempotencyKey: 'k' })).state, 'ALLOW', userId);
    const { users } = await authsignal.queryUsers({ username: `name of ${userId}` });
    assert.deepEqual(users.map((user) => user.userId), [userId]);
  }
});

test('users are turned by pages, and found by a token', async () => {
  for (const name of ['p1', 'p2', 'p3']) await authsignal.updateUser({ userId: name, attributes: { email: 'pages@example.com' } });
  const seen = [];
  let lastEvaluatedUserId;
  do {
    const page = await authsignal.queryUsers({ email: 'pages@example.com', limit: 2, lastEvaluatedUserId });
    seen.push(...page.users.map(({ userId }) => userId));
    ({ lastEvaluatedUserId } = page);
  } while (lastEvaluatedUserId);
  assert.deepEqual(seen.sort(), ['p1', 'p2', 'p3']);
  const { token } = await withdrawal('p1');
  const { users, tokenPayload } = await authsignal.queryUsers({ token });
  assert.deepEqual([users.map(({ userId }) => userId), tokenPayload.sub], [['p1'], 'p1']);
});

test('actions are found by time, code and state; an action says which rules decided it', async () => {
  await signIn('found', { ipAddress: '203.0.113.66', idempotencyKey: 'blocked' });
  await signIn('found', { idempotencyKey: 'fine' });
  const keys = async (more) => (await authsignal.queryUserActions({ userId: 'found', ...more })).map(({ idempotencyKey }) => idempotencyKey);
  assert.deepEqual(await keys({ state: 'BLOCK' }), ['blocked']);
  assert.deepEqual(await keys({ state: 'ALLOW' }), ['fine']);
  assert.deepEqual(await keys({ actionCodes: ['withdrawal'] }), []);
  assert.deepEqual(await keys({ fromDate: new Date(Date.now() + 60_000).toISOString() }), []);
  const action = await authsignal.getAction({ userId: 'found', action: 'sign_in', idempotencyKey: 'blocked' });
  assert.ok(action.rules.some(({ ruleId, name }) => ruleId === 'blocked_ip' && name), JSON.stringify(action));
});

test('a deleted user is a stranger, and their phone is nobody\'s', async () => {
  const phone = await enrolled(demo, authsignal, 'leaves', 'android');
  const { token } = await withdrawal('leaves');
  const { challengeId } = await client('/challenge/qr-code', token, { action: 'withdrawal' });
  await authsignal.deleteUser({ userId: 'leaves' });
  assert.equal((await authsignal.getUser({ userId: 'leaves' })).isEnrolled, false);
  assert.notEqual((await phone.claim(challengeId)).status, 200);
});

test('a token that is not good, of another user or used before is an answer and no exception', async () => {
  for (const token of ['nonsense', 'a.b.c', '']) {
    const answer = await authsignal.validateChallenge({ token }).catch((error) => ({ refused: error.errorCode }));
    assert.ok(answer.isValid === false || answer.refused === 'invalid_request', `${token}: ${JSON.stringify(answer)}`);
  }
  const phone = await enrolled(demo, authsignal, 'owner', 'ios', 'in-app');
  const { token } = (await phone.verifyInApp({ token: (await withdrawal('owner')).token })).json;
  assert.equal((await authsignal.validateChallenge({ token, userId: 'thief' })).isValid, false);
  assert.equal((await authsignal.validateChallenge({ token, userId: 'owner' })).isValid, true);
  assert.equal((await authsignal.validateChallenge({ token, userId: 'owner' })).isValid, false);
});

test('calls for methods that Stepup does not have, and for things that are not there, are refused by name', async () => {
  const refused = (call, errorCode) => assert.rejects(call, (error) => error.errorCode === errorCode && typeof error.message === 'string', errorCode);
  await refused(authsignal.challenge({ verificationMethod: 'EMAIL_OTP', action: 'sign_in', email: 'a@example.com' }), 'invalid_configuration');
  await refused(authsignal.verify({ challengeId: 'c1', verificationCode: '123456' }), 'invalid_configuration');
  await refused(authsignal.claimChallenge({ challengeId: 'c1', userId: 'ann' }), 'invalid_configuration');
  await refused(authsignal.deleteAuthenticator({ userId: 'ann', userAuthenticatorId: 'nothing' }), 'credential_not_found');
  await refused(authsignal.createSession({ clientId: 'nobody', token: 'nonsense' }), 'invalid_configuration');
  await refused(authsignal.getAction({ userId: 'ann', action: 'sign_in', idempotencyKey: 'never' }), 'not_found');
});
