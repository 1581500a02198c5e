// A webhook of the real binary, verified by npm @authsignal/node, unmodified, and by our own package's rules.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Authsignal } from '@authsignal/node';
import { binary, freePort, run } from './harness.mjs';
import { enrolled } from './phone.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const secret = 'sk_test_of_the_whole_tenant';
const heard = [];
let waiting = [];
let receiver;
let server;
let folder;
let url;
let refuses = false;
let authsignal;

/** The next webhook: `{ body, signature }`. */
const next = () => (heard.length > 0 ? Promise.resolve(heard.shift()) : new Promise((done) => { waiting.push(done); }));

/** Starts the server and waits until it serves. */
async function start() {
  server = spawn(binary(), ['serve', '--config', join(folder, 'stepup.toml')], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  server.stdout.on('data', (bytes) => { printed += bytes; });
  server.stderr.on('data', (bytes) => { printed += bytes; });
  const deadline = Date.now() + 60_000;
  while (!(await fetch(`${url}/readyz`).then((answer) => answer.ok, () => false))) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error(`the server does not serve:\n${printed}`);
    await new Promise((done) => { setTimeout(done, 100); });
  }
}

/** Stops it in good order. */
async function stop() {
  const ended = new Promise((done) => { server.once('exit', done); });
  server.kill('SIGTERM');
  await ended;
}

before(async () => {
  receiver = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const webhook = { body: Buffer.concat(parts).toString('utf8'), signature: request.headers['x-signature-v2'] };
      const first = waiting.shift();
      if (first) first(webhook);
      else heard.push(webhook);
      response.writeHead(refuses ? 503 : 200).end('{}');
    });
  });
  await new Promise((done) => { receiver.listen(0, '127.0.0.1', done); });
  folder = mkdtempSync(join(tmpdir(), 'stepup-webhooks-'));
  const port = await freePort();
  writeFileSync(join(folder, 'secret'), secret, { mode: 0o600 });
  writeFileSync(join(folder, 'stepup.toml'), `
database = "sqlite:${folder}/stepup.db"
[server]
listen = "127.0.0.1:${port}"
public_url = "http://127.0.0.1:${port}"
[policies]
pack = "rules/starter"
[keys]
directory = "${folder}/keys"
[webhooks]
development = true
attempts = 1
[tenants.acme]
secret_file = "${folder}/secret"
[[tenants.acme.webhooks]]
name = "shop"
url = "http://127.0.0.1:${receiver.address().port}/hooks"
events = ["decision.recorded", "push.created"]
`);
  url = `http://127.0.0.1:${port}`;
  await start();
  authsignal = new Authsignal({ apiSecretKey: secret, apiUrl: `${url}/v1` });
});

after(async () => {
  await stop();
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

test('the package verifies what we sign, and nothing else', async () => {
  const tracked = await authsignal.track({ userId: 'Zoë', action: 'sign_in', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { outcome: 'succeeded' } } });
  const { body, signature } = await next();
  const event = authsignal.webhook.constructEvent(body, signature);
  assert.equal(event.type, 'decision.recorded');
  assert.equal(event.tenantId, 'acme');
  assert.equal(event.data.userId, 'Zoë');
  assert.equal(event.data.state, tracked.state);
  assert.equal(event.data.idempotencyKey, tracked.idempotencyKey);
  const flipped = (text, place) => text.slice(0, place) + String.fromCharCode(text.charCodeAt(place) ^ 1) + text.slice(place + 1);
  for (let place = 0; place < body.length; place += 1) assert.throws(() => authsignal.webhook.constructEvent(flipped(body, place), signature), /mismatch/);
  const value = signature.indexOf('v2=') + 3;
  for (let place = value; place < signature.length; place += 1) assert.throws(() => authsignal.webhook.constructEvent(body, flipped(signature, place)), /mismatch|invalid/);
  const other = new Authsignal({ apiSecretKey: 'sk_test_of_somebody_else', apiUrl: 'http://127.0.0.1:1/v1' });
  assert.throws(() => other.webhook.constructEvent(body, signature), /mismatch/);
});

test('the backend is asked to send a push, in strings alone, and the phone answers it', async () => {
  const demo = { baseUrl: `${url}/v1`, tenantId: 'acme' };
  const phone = await enrolled(demo, authsignal, 'pia', 'ios', 'push');
  const { token, idempotencyKey } = await authsignal.track({ userId: 'pia', action: 'withdrawal', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { amount: { value: '99.50', currency: 'EUR' }, payee: 'p1' } } });
  const sent = await fetch(`${url}/v1/client/challenge/push`, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: '{"action":"withdrawal"}' });
  const { challengeId } = await sent.json();
  let event;
  do {
    const { body, signature } = await next();
    event = authsignal.webhook.constructEvent(body, signature);
  } while (event.type !== 'push.created');
  const { data } = event;
  assert.deepEqual([data.to, data.userId, data.challengeId, data.idempotencyKey], ['token/of-this-phone', 'pia', challengeId, idempotencyKey]);
  // Java and .NET read nothing but strings.
  for (const [name, value] of Object.entries(data)) assert.equal(typeof value, 'string', name);
  assert.equal((await phone.answer(challengeId, true)).json.isVerified, true);
  assert.equal((await authsignal.getAction({ userId: 'pia', action: 'withdrawal', idempotencyKey })).verificationMethod, 'PUSH');
  heard.length = 0;
});

test('what was given up is listed and tried again from the command line', async () => {
  await stop();
  const secretFile = join(folder, 'admin');
  const made = run('keys', 'new', '--config', join(folder, 'stepup.toml'), '--role', 'admin', '--name', 'e2e', '--secret-file', secretFile);
  assert.equal(made.code, 0, made.err);
  await start();
  const webhooks = (...words) => {
    const { code, out, err } = run('webhooks', ...words, '--server', url, '--secret-file', secretFile, '--format', 'json');
    assert.equal(code, 0, err);
    return JSON.parse(out);
  };
  refuses = true;
  await authsignal.track({ userId: 'Zoë', action: 'sign_in', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { outcome: 'succeeded' } } });
  const { body } = await next();
  refuses = false;
  let dead = [];
  const deadline = Date.now() + 30_000;
  while (dead.length === 0 && Date.now() < deadline) ({ deadLetters: dead } = webhooks('dead', '--endpoint', 'shop'));
  assert.deepEqual(dead.map(({ id, failure, attempts }) => ({ id, failure, attempts })), [{ id: JSON.parse(body).id, failure: 'answered 503', attempts: 1 }]);
  assert.deepEqual(webhooks('redeliver', '--endpoint', 'nobody'), { version: 1, redelivered: 0 });
  assert.deepEqual(webhooks('redeliver', '--id', dead[0].id), { version: 1, redelivered: 1 });
  assert.equal((await next()).body, body);
  assert.equal(webhooks('list').webhooks[0].name, 'shop');
  assert.equal(run('webhooks', 'list', '--server', url, '--secret-file', join(folder, 'secret')).code, 1);
});
