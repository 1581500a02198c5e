// npm @authsignal/node, unmodified, with only its base URL set.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Authsignal } from '@authsignal/node';
import { withDemo } from './harness.mjs';
import { enrolled } from './phone.mjs';

let demo;
let authsignal;

withDemo(Authsignal, (started, backend) => { [demo, authsignal] = [started, backend]; });

const signIn = (userId, attributes = {}) => authsignal.track({ userId, action: 'sign_in', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { outcome: 'succeeded' }, ...attributes } });

test('track answers allow, and the action can be read, listed and updated', async () => {
  const tracked = await signIn('ann', { idempotencyKey: 'first' });
  assert.equal(tracked.state, 'ALLOW');
  assert.equal(tracked.idempotencyKey, 'first');
  assert.equal(tracked.isEnrolled, false);
  const read = await authsignal.getAction({ userId: 'ann', action: 'sign_in', idempotencyKey: 'first' });
  assert.equal(read.state, 'ALLOW');
  const listed = await authsignal.queryUserActions({ userId: 'ann' });
  assert.ok(listed.some(({ idempotencyKey }) => idempotencyKey === 'first'));
  const updated = await authsignal.updateAction({ userId: 'ann', action: 'sign_in', idempotencyKey: 'first', attributes: { state: 'REVIEW_SUCCEEDED' } });
  assert.equal(updated.state, 'REVIEW_SUCCEEDED');
});

test('a listed address is blocked', async () => {
  assert.equal((await signIn('blocked', { ipAddress: '203.0.113.66' })).state, 'BLOCK');
});

test('the fifth failed sign-in in ten minutes is challenged', async () => {
  const states = [];
  for (let attempt = 0; attempt < 5; attempt += 1) states.push((await signIn('guessed', { custom: { outcome: 'failed' } })).state);
  assert.deepEqual(states, ['ALLOW', 'ALLOW', 'ALLOW', 'ALLOW', 'CHALLENGE_REQUIRED']);
});

test('the same idempotency key gives the same answer', async () => {
  const one = await signIn('same', { idempotencyKey: 'k' });
  const two = await signIn('same', { idempotencyKey: 'k' });
  assert.deepEqual(two, one);
});

test('users can be read, changed, found and deleted; a stranger is not enrolled', async () => {
  assert.equal((await authsignal.getUser({ userId: 'nobody' })).isEnrolled, false);
  await authsignal.updateUser({ userId: 'auth0|carl b', attributes: { email: 'carl@example.com', displayName: 'Carl', custom: { tier: 'gold' } } });
  const user = await authsignal.getUser({ userId: 'auth0|carl b' });
  assert.equal(user.email, 'carl@example.com');
  const { users } = await authsignal.queryUsers({ email: 'carl@example.com' });
  assert.deepEqual(users.map(({ userId }) => userId), ['auth0|carl b']);
  await authsignal.deleteUser({ userId: 'auth0|carl b' });
  assert.equal((await authsignal.getUser({ userId: 'auth0|carl b' })).email, undefined);
});

test('a withdrawal is approved by QR and its token validates once', async () => {
  const phone = await enrolled(demo, authsignal, 'dora', 'android');
  const authenticators = await authsignal.getAuthenticators({ userId: 'dora' });
  assert.equal(authenticators.length, 1);
  const tracked = await authsignal.track({ userId: 'dora', action: 'withdrawal', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { amount: { value: '250.00', currency: 'EUR' }, payee: 'p1' } } });
  assert.equal(tracked.state, 'CHALLENGE_REQUIRED');
  assert.equal(tracked.isEnrolled, true);
  const opened = await fetch(`${demo.baseUrl}/client/challenge/qr-code`, { method: 'POST', headers: { Authorization: `Bearer ${tracked.token}`, 'Content-Type': 'application/json' }, body: '{"action":"withdrawal"}' }).then((answer) => answer.json());
  assert.equal((await phone.claim(opened.challengeId)).json.success, true);
  assert.equal((await phone.answer(opened.challengeId, true)).json.isVerified, true);
  const polled = await fetch(`${demo.baseUrl}/client/verify/qr-code`, { method: 'POST', headers: { Authorization: phone.speak.tenant(demo.tenantId), 'Content-Type': 'application/json' }, body: JSON.stringify({ challengeId: opened.challengeId, deviceCode: opened.deviceCode }) }).then((answer) => answer.json());
  assert.equal(polled.isVerified, true);
  const validated = await authsignal.validateChallenge({ token: polled.accessToken, action: 'withdrawal', userId: 'dora' });
  assert.equal(validated.isValid, true);
  assert.equal(validated.state, 'CHALLENGE_SUCCEEDED');
  assert.equal(validated.verificationMethod, 'DEVICE');
  assert.equal((await authsignal.validateChallenge({ token: polled.accessToken, action: 'withdrawal', userId: 'dora' })).isValid, false);
  const action = await authsignal.getAction({ userId: 'dora', action: 'withdrawal', idempotencyKey: tracked.idempotencyKey });
  assert.equal(action.state, 'CHALLENGE_SUCCEEDED');
});

test('a session begins with an approval, goes on and ends', async () => {
  const phone = await enrolled(demo, authsignal, 'sess', 'ios');
  const tracked = await authsignal.track({ userId: 'sess', action: 'withdrawal', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { amount: { value: '250.00', currency: 'EUR' }, payee: 'p1' } } });
  const post = (path, authorization, body) => fetch(`${demo.baseUrl}${path}`, { method: 'POST', headers: { Authorization: authorization, 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((answer) => answer.json());
  const { challengeId, deviceCode } = await post('/client/challenge/qr-code', `Bearer ${tracked.token}`, { action: 'withdrawal' });
  await phone.claim(challengeId);
  await phone.answer(challengeId, true);
  const { accessToken: token } = await post('/client/verify/qr-code', phone.speak.tenant(demo.tenantId), { challengeId, deviceCode });
  const first = await authsignal.createSession({ clientId: 'demo', token, action: 'withdrawal' });
  const standing = await authsignal.validateSession({ accessToken: first.accessToken, clientIds: ['demo'] });
  assert.equal(standing.user.userId, 'sess');
  assert.equal(standing.verificationMethod, 'DEVICE');
  assert.ok(standing.expiresAt > Date.now() / 1000);
  // Whoever has the JWKS can verify it without asking.
  const jwks = await fetch(`${demo.baseUrl}/client/public/${demo.tenantId}/.well-known/jwks`).then((answer) => answer.json());
  const [header, claims, signature] = first.accessToken.split('.');
  const jwk = jwks.keys.find(({ kid }) => kid === JSON.parse(Buffer.from(header, 'base64url')).kid);
  const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  assert.ok(await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, Buffer.from(signature, 'base64url'), Buffer.from(`${header}.${claims}`)));
  const second = await authsignal.refreshSession({ refreshToken: first.refreshToken });
  await authsignal.revokeSession({ accessToken: second.accessToken });
  await assert.rejects(authsignal.validateSession({ accessToken: second.accessToken }), (error) => error.statusCode === 401);
  await authsignal.revokeUserSessions({ userId: 'sess' });
});

test('recovery codes are issued by the call that enrols verified methods, and one of them is validated', async () => {
  const { authenticator, recoveryCodes } = await authsignal.enrollVerifiedAuthenticator({ userId: 'rosa', attributes: { verificationMethod: 'RECOVERY_CODE' } });
  assert.equal(authenticator.verificationMethod, 'RECOVERY_CODE');
  assert.equal(recoveryCodes.length, 10);
  const { token } = await authsignal.track({ userId: 'rosa', action: 'password_change', attributes: { ipAddress: '81.2.69.142' } });
  const answer = await fetch(`${demo.baseUrl}/client/verify/recovery-code`, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ verificationCode: recoveryCodes[9] }) });
  const { accessToken } = await answer.json();
  const valid = await authsignal.validateChallenge({ token: accessToken, action: 'password_change', userId: 'rosa' });
  assert.deepEqual([valid.isValid, valid.state, valid.verificationMethod], [true, 'CHALLENGE_SUCCEEDED', 'RECOVERY_CODE']);
  await assert.rejects(authsignal.enrollVerifiedAuthenticator({ userId: 'rosa', attributes: { verificationMethod: 'SMS', phoneNumber: '+64270000000' } }), { errorCode: 'invalid_configuration' });
});

test('an authenticator can be deleted, and its phone is told', async () => {
  const phone = await enrolled(demo, authsignal, 'emil', 'ios');
  await authsignal.deleteAuthenticator({ userId: 'emil', userAuthenticatorId: phone.credential.userAuthenticatorId });
  const { json } = await phone.getCredential();
  assert.equal(json.errorCode, 'invalid_credential');
});

test('a wrong secret is refused in the words that the package expects', async () => {
  const wrong = new Authsignal({ apiSecretKey: 'wrong', apiUrl: demo.baseUrl });
  await assert.rejects(wrong.getUser({ userId: 'ann' }), (error) => error.statusCode === 401 && error.errorCode === 'unauthorized');
});

test('what the packages offer and Stepup does not is refused by name', async () => {
  await assert.rejects(authsignal.challenge({ verificationMethod: 'SMS', action: 'sign_in', phoneNumber: '+64270000000' }), (error) => error.errorCode === 'invalid_configuration');
});
