// What the tests of the pages share: opening one, judging it, and the action behind it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Nothing that keeps somebody out: the rules of WCAG as axe knows them. The policy of the page forbids inline scripts, so axe comes through the debugger. */
export async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`), []);
}

/** Opens a page of the demo; what the browser complains about is in its `problems`. `prepare` is done before the page loads. */
export async function openPage(demo, context, address, prepare = async () => {}) {
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.problems = problems;
  await prepare(page);
  await page.goto(new URL(address, demo.origin).href);
  return page;
}

/** Tracks an action for `user`; the hosted page is at the answer's `url`. */
export const track = (demo, user, action, body = {}) => fetch(`${demo.baseUrl}/users/${user}/actions/${action}`, {
  method: 'POST',
  headers: { Authorization: `Basic ${Buffer.from(`${demo.apiSecret}:`).toString('base64')}`, 'Content-Type': 'application/json' },
  body: JSON.stringify({ ipAddress: '81.2.69.142', ...body }),
}).then((answer) => answer.json());

/** A withdrawal that needs a confirmation. */
export const withdrawal = (demo, user, body = {}) => track(demo, user, 'withdrawal', { custom: { amount: { value: '10.00', currency: 'EUR' }, payee: 'p1' }, ...body });
