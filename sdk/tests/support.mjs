// What the tests share: a server with an administrator, an enrolled phone, a tracked withdrawal, a terminal, a screen, and one that polls by hand.

import { spawn } from 'node:child_process';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { memoryKeyStore, Stepup as Phone } from 'stepup-sdk/mobile';
import { Stepup as Screen } from 'stepup-sdk/web';
import { binary, freePort, run } from '../../tests/e2e/harness.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../../..');

/** A server with the starter pack and keys of two roles; `more` are further lines of its configuration. It has what `startDemo` answers, and `adminSecret`. */
export async function startWithAdministrator(more = '') {
  const folder = mkdtempSync(join(tmpdir(), 'stepup-administered-'));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const apiSecret = 'sk_test_of_a_backend_0123';
  writeFileSync(join(folder, 'secret'), apiSecret, { mode: 0o600 });
  const config = join(folder, 'stepup.toml');
  writeFileSync(config, `
database = "sqlite:${folder}/stepup.db"
[server]
listen = "127.0.0.1:${port}"
public_url = "${origin}"
[policies]
pack = "rules/starter"
[keys]
directory = "${folder}/keys"
[tenants.acme]
secret_file = "${folder}/secret"
${more}`);
  let server;
  const start = async () => {
    server = spawn(binary(), ['serve', '--config', config], { cwd: root, stdio: 'ignore' });
    const deadline = Date.now() + 60_000;
    while (!(await fetch(`${origin}/readyz`).then((answer) => answer.ok, () => false))) {
      if (server.exitCode !== null || Date.now() > deadline) throw new Error('the server does not serve');
      await new Promise((done) => { setTimeout(done, 100); });
    }
  };
  const end = () => {
    const ended = new Promise((done) => { server.once('exit', done); });
    server.kill('SIGTERM');
    return ended;
  };
  // The first start makes the database, to which the key is added.
  await start();
  await end();
  const made = run('keys', 'new', '--config', config, '--role', 'admin', '--name', 'sdk', '--secret-file', join(folder, 'admin'));
  if (made.code !== 0) throw new Error(made.err);
  await start();
  const stop = async () => {
    await end();
    rmSync(folder, { recursive: true, force: true });
  };
  return { origin, baseUrl: `${origin}/v1`, tenantId: 'acme', apiSecret, adminSecret: readFileSync(join(folder, 'admin'), 'utf8').trim(), stop };
}

/** A terminal whose key is in a hardware module, so to speak. */
export function terminal(id) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { id, publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), sign: async (bytes) => createSign('sha256').update(bytes).sign(privateKey) };
}

/** What an administrator registers. */
export const registration = ({ id, publicKey }, name, more = {}) => ({ terminalId: id, publicKey, name, ...more });

/** A token that lets a phone of `userId` in. */
export async function enrolmentToken(stepup, userId) {
  const { token } = await stepup.track({ userId, action: 'device_enrol', attributes: { deviceId: `phone-of-${userId}`, ipAddress: '81.2.69.142', scope: 'add:authenticators' } });
  return token;
}

/** A phone of ours that is enrolled for `userId`. */
export async function enrolledPhone(demo, stepup, userId, options = {}) {
  const token = await enrolmentToken(stepup, userId);
  const phone = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore(), ...options });
  const added = await phone.qrCode.addCredential({ token, deviceName: 'Test phone' });
  if (!added.data) throw new Error(`enrolment failed: ${JSON.stringify(added)}`);
  return phone;
}

/** A screen of ours that asked for a challenge, what it was answered, the states that it has heard of, and a way to wait for one. */
export async function screenOf(demo, { token, ...params } = {}) {
  const seen = new Map();
  const waiting = new Map();
  const screen = new Screen({ tenantId: demo.tenantId, baseUrl: demo.baseUrl });
  if (token) screen.setToken(token);
  const answer = await screen.qrCode.challenge({
    pollInterval: 50,
    ...params,
    onStateChange(state, accessToken) {
      seen.set(state, accessToken);
      waiting.get(state)?.();
    },
  });
  const until = async (state) => {
    if (!seen.has(state)) await new Promise((done) => waiting.set(state, done));
    return seen.get(state);
  };
  return { screen, answer, until, seen };
}

export const withdrawal = (stepup, userId, attributes = {}) =>
  stepup.track({ userId, action: 'withdrawal', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { amount: { value: '250.00', currency: 'EUR' }, payee: 'p1' }, ...attributes } });

const post = async (demo, path, authorization, body) => {
  const answer = await fetch(demo.baseUrl + path, { method: 'POST', headers: { Authorization: authorization, 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return answer.json();
};

/** Opens the challenge of a track token, as a screen does; and asks what became of it. */
export const open = (demo, token) => post(demo, '/client/challenge/qr-code', `Bearer ${token}`, { action: actionOf(token) });

const actionOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).other.actionCode;
/** The same for whoever scans. */
export const kiosk = (demo) => post(demo, '/client/challenge/qr-code', `Basic ${btoa(demo.tenantId)}`, { action: 'kiosk_login' });
export const poll = (demo, { challengeId, deviceCode }) => post(demo, '/client/verify/qr-code', `Basic ${btoa(demo.tenantId)}`, { challengeId, deviceCode });

/** The claims of a result token. */
export const approvalOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());

const require = createRequire(import.meta.url);
const jsQR = require('../../server/assets/vendor/jsqr.js');

/** The pixels of an SVG of ours, four to a module. */
function pixels(svg) {
  const size = Number(/viewBox="0 0 (\d+)/.exec(svg)[1]);
  const scale = 4;
  const side = size * scale;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  const dark = svg.slice(svg.lastIndexOf(' d="'));
  for (const [, left, top, width] of dark.matchAll(/M(\d+) (\d+)h(\d+)v1/g))
    for (let y = top * scale; y < (Number(top) + 1) * scale; y += 1)
      for (let x = left * scale; x < (Number(left) + Number(width)) * scale; x += 1) data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
  return [data, side, side];
}

/** What a code of ours holds, as the reader of the phone page reads it. */
export const readQr = (svg) => (jsQR.default ?? jsQR)(...pixels(svg))?.data;
