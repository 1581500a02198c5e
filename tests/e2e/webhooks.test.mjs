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
import { binary, freePort } from './harness.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const secret = 'sk_test_of_the_whole_tenant';
const heard = [];
let waiting = [];
let receiver;
let server;
let folder;
let authsignal;

/** The next webhook: `{ body, signature }`. */
const next = () => (heard.length > 0 ? Promise.resolve(heard.shift()) : new Promise((done) => { waiting.push(done); }));

before(async () => {
  receiver = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const webhook = { body: Buffer.concat(parts).toString('utf8'), signature: request.headers['x-signature-v2'] };
      const first = waiting.shift();
      if (first) first(webhook);
      else heard.push(webhook);
      response.end('{}');
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
[tenants.acme]
secret_file = "${folder}/secret"
[[tenants.acme.webhooks]]
name = "shop"
url = "http://127.0.0.1:${receiver.address().port}/hooks"
events = ["decision.recorded"]
`);
  server = spawn(binary(), ['serve', '--config', join(folder, 'stepup.toml')], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  server.stdout.on('data', (bytes) => { printed += bytes; });
  server.stderr.on('data', (bytes) => { printed += bytes; });
  const deadline = Date.now() + 60_000;
  while (!(await fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.ok, () => false))) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error(`the server does not serve:\n${printed}`);
    await new Promise((done) => { setTimeout(done, 100); });
  }
  authsignal = new Authsignal({ apiSecretKey: secret, apiUrl: `http://127.0.0.1:${port}/v1` });
});

after(async () => {
  const ended = new Promise((done) => { server.once('exit', done); });
  server.kill('SIGTERM');
  await ended;
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
