// What Stepup's server has beside the field's protocol: decisions, what-if, policies, lists, webhooks, with keys of two roles.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stepup } from 'stepup-sdk/server';
import { freePort } from '../../tests/e2e/harness.mjs';
import { startWithAdministrator } from './support.mjs';

let server;
let backend;
let admin;

before(async () => {
  server = await startWithAdministrator(`
[webhooks]
development = true
attempts = 1
[[tenants.acme.webhooks]]
name = "shop"
url = "http://127.0.0.1:${await freePort()}/hooks"
events = ["decision.recorded"]
`);
  const apiUrl = server.baseUrl;
  backend = new Stepup({ apiSecretKey: server.apiSecret, apiUrl });
  admin = new Stepup({ apiSecretKey: server.adminSecret, apiUrl });
});
after(() => server.stop());

const signIn = (attributes = {}) => ({ userId: 'ann', action: 'sign_in', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { outcome: 'succeeded' }, ...attributes } });

test('a decision is read with its reasons, and found; what would be decided leaves no trace', async () => {
  const tracked = await backend.track(signIn());
  const decision = await backend.getDecision(tracked);
  assert.deepEqual([decision.outcome, decision.userId, decision.policyVersion], ['allow', 'ann', tracked.policyVersion]);
  assert.ok(decision.signals && decision.trace);
  const would = await backend.evaluate(signIn({ ipAddress: '203.0.113.66' }));
  assert.equal(would.outcome, 'block');
  const { decisions } = await backend.queryDecisions({ user: 'ann', action: 'sign_in', outcome: 'allow', limit: 5 });
  assert.deepEqual(decisions.map(({ decisionId }) => decisionId), [tracked.decisionId]);
  assert.deepEqual((await backend.queryDecisions({ user: 'ann', outcome: 'block' })).decisions, []);
  await backend.track(signIn());
  const page = await backend.queryDecisions({ user: 'ann', limit: 1 });
  const next = await backend.queryDecisions({ user: 'ann', limit: 1, cursor: page.cursor });
  assert.equal(next.decisions[0].decisionId, tracked.decisionId);
});

test('devices are seen, remembered, forgotten and taken back', async () => {
  await backend.track(signIn());
  assert.deepEqual((await backend.getDevices({ userId: 'ann' })).map(({ deviceId }) => deviceId), ['d1']);
  const device = { userId: 'ann', deviceId: 'd1' };
  assert.match((await backend.updateDevice({ ...device, attributes: { rememberedUntil: '2099-01-01T00:00:00Z' } })).rememberedUntil, /^2099-01-01T/);
  assert.equal((await backend.updateDevice({ ...device, attributes: { rememberedUntil: null } })).rememberedUntil, undefined);
  assert.ok((await backend.invalidateDevice(device)).invalidatedAt);
});

test('policies are read and checked', async () => {
  const { version } = await backend.getPolicies();
  assert.match(version, /^sha256:/);
  const text = await backend.getPolicy({ policyVersion: version });
  assert.equal(text.inForce, true);
  assert.match(Object.values(text.files).join('\n'), /policy sign_in on sign_in/);
  const wrong = await backend.checkPolicies({ source: 'policy x on' });
  assert.deepEqual([wrong.ok, wrong.diagnostics.length > 0], [false, true]);
  const good = { 'a.rules': 'event sign_in {}\n\npolicy sign_in on sign_in {\n  default allow\n}\n' };
  assert.equal((await backend.checkPolicies({ files: good })).ok, true, 'a pack of one file');
});

test('a list is kept by whoever may, and rules see it at once', async () => {
  const entry = { list: 'blocked_ips', value: '198.18.7.7', reason: 'seen in an attack' };
  await assert.rejects(backend.addListEntry(entry), { errorCode: 'forbidden' });
  assert.equal((await backend.track(signIn({ ipAddress: entry.value }))).outcome === 'block', false);
  assert.equal((await admin.addListEntry(entry)).reason, entry.reason);
  assert.deepEqual((await admin.getListEntries(entry)).map(({ value }) => value), [entry.value]);
  assert.equal((await backend.track(signIn({ ipAddress: entry.value }))).outcome, 'block');
  await admin.deleteListEntry(entry);
  assert.deepEqual(await admin.getListEntries(entry), []);
  await assert.rejects(admin.deleteListEntry(entry), { statusCode: 404 });
});

test('webhooks that nobody takes are listed and tried again', async () => {
  await backend.track(signIn());
  assert.equal((await admin.getWebhooks())[0].name, 'shop');
  let dead = [];
  const deadline = Date.now() + 30_000;
  while (dead.length === 0 && Date.now() < deadline) {
    ({ deadLetters: dead } = await admin.queryDeadLetters({ endpoint: 'shop', limit: 1 }));
    if (dead.length === 0) await new Promise((done) => { setTimeout(done, 100); });
  }
  assert.deepEqual([dead.length, dead[0]?.type], [1, 'decision.recorded']);
  assert.deepEqual(await admin.redeliverWebhooks({ id: dead[0].id }), { redelivered: 1 });
  await assert.rejects(backend.redeliverWebhooks(), { errorCode: 'forbidden' });
});
