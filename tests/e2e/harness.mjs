// Starts the real binary on embedded defaults, in a folder of its own, on a free port, and stops it.

import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../../..');

/** The binary that the Rust tests built; built here if it is not there yet. */
export function binary() {
  if (process.env.STEPUP_BIN) return process.env.STEPUP_BIN;
  const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
  const path = resolve(root, target, 'debug', 'stepup');
  if (!existsSync(path)) execFileSync('cargo', ['build', '--package', 'cli', '--bin', 'stepup'], { cwd: root, stdio: 'inherit' });
  return path;
}

export const freePort = () => new Promise((done, fail) => {
  const server = createServer();
  server.once('error', fail);
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

/** A folder to start the demo in: the starter pack of the checkout, and these rules beside it. */
export function folderWith(rules) {
  const folder = mkdtempSync(join(tmpdir(), 'stepup-pack-'));
  cpSync(join(root, 'rules/starter'), join(folder, 'rules/starter'), { recursive: true });
  writeFileSync(join(folder, 'rules/starter/more.rules'), rules);
  return folder;
}

/** Claims from another country than the screen's, or from nobody knows where, are asked for the number on the screen. */
export const ELSEWHERE_ASKS_FOR_THE_NUMBER = `
event challenge_claim requires ip, device { same_country: bool? }
policy elsewhere on challenge_claim {
  default allow
  on unknown step_up
  rule elsewhere { when not same_country then challenge qr reason ELSEWHERE }
}
reason ELSEWHERE "Please type the number on your screen"
`;

/** Runs a demo while the tests of a file run; `started` is told of it and of a backend that speaks to it, before the first. */
export function withDemo(Backend, started) {
  let demo;
  before(async () => {
    demo = await startDemo();
    started(demo, new Backend({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl }));
  });
  after(() => demo?.stop());
}

/** `{ port, origin, baseUrl, tenantId, apiSecret, data, printed(), stop() }` of a running `stepup demo`. */
export async function startDemo({ cwd = root } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'stepup-e2e-'));
  const data = join(folder, 'data');
  const port = await freePort();
  const child = spawn(binary(), ['demo', '--port', String(port), '--data', data], { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
  let printed = '';
  child.stdout.on('data', (bytes) => { printed += bytes; });
  child.stderr.on('data', (bytes) => { printed += bytes; });
  const origin = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`stepup demo ended with ${child.exitCode}:\n${printed}`);
    const ready = await fetch(`${origin}/readyz`).then((answer) => answer.ok, () => false);
    if (ready && existsSync(join(data, 'demo.json'))) break;
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`stepup demo did not become ready:\n${printed}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  const config = JSON.parse(readFileSync(join(data, 'demo.json'), 'utf8'));
  const stop = () => new Promise((done) => {
    child.once('exit', (code) => {
      rmSync(folder, { recursive: true, force: true });
      done(code);
    });
    child.kill('SIGTERM');
  });
  return { ...config, port, origin: new URL(config.baseUrl).origin, data, printed: () => printed, stop, child };
}

/** Runs the command line and returns `{ code, out, err }`. */
export function run(...words) {
  try {
    const out = execFileSync(binary(), words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
    return { code: 0, out, err: '' };
  } catch (error) {
    return { code: error.status, out: error.stdout ?? '', err: error.stderr ?? '' };
  }
}
