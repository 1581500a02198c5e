// A challenge that nobody answers in time: the screen hears it, and the phone can do nothing with it any more.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Stepup } from 'stepup-sdk/server';
import { Stepup as Screen } from 'stepup-sdk/web';
import { WebSocket } from 'ws';
import { startDemo } from '../../tests/e2e/harness.mjs';
import { enrolledPhone, withdrawal } from './support.mjs';

let demo;
let stepup;
let folder;

before(async () => {
  globalThis.WebSocket = WebSocket;
  // The demo takes the rules of the folder it is started in.
  folder = mkdtempSync(join(tmpdir(), 'stepup-expiry-'));
  cpSync(new URL('../../rules/starter', import.meta.url), join(folder, 'rules/starter'), { recursive: true });
  const rules = join(folder, 'rules/starter/withdrawal.rules');
  const text = readFileSync(rules, 'utf8');
  assert.match(text, /expires: 5m/);
  writeFileSync(rules, text.replace('expires: 5m', 'expires: 10s'));
  demo = await startDemo({ cwd: folder });
  stepup = new Stepup({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl });
});
after(async () => {
  await demo.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('an expired challenge', { concurrency: true }, async (context) => {
  const ways = [false, true].map((polling) =>
    context.test(polling ? 'polling' : 'WebSocket', async () => {
      const userId = `too-late-${polling}`;
      const phone = await enrolledPhone(demo, stepup, userId);
      const screen = new Screen({ tenantId: demo.tenantId, baseUrl: demo.baseUrl });
      let expired;
      const heard = new Promise((done) => { expired = done; });
      const onStateChange = (state) => { if (state === 'expired') expired(); };
      screen.setToken((await withdrawal(stepup, userId)).token);
      const { challengeId } = (await screen.qrCode.challenge({ polling, pollInterval: 200, onStateChange })).data;
      await heard;
      const late = await phone.qrCode.claimChallenge({ challengeId });
      assert.equal(late.data, undefined);
      assert.match(late.errorCode, /expired/);
    }));
  await Promise.all(ways);
});
