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

/** Whoever has no mouse gets everywhere: Tab comes to each thing that can be used, shows where it is, and goes on. */
export async function keyboardReaches(page) {
  await page.evaluate(() => document.activeElement.blur());
  const wanted = await page.evaluate(() => [...document.querySelectorAll('main :is(a[href], button, input, select)')].filter((element) => element.checkVisibility() && !element.disabled).map(({ id }) => id));
  assert.ok(wanted.length > 0 && wanted.every((id) => id !== ''), wanted.join(' '));
  const reached = [];
  for (let step = 0; step < wanted.length + 2; step += 1) {
    await page.keyboard.press('Tab');
    const { id, outline } = await page.evaluate(() => ({ id: document.activeElement.id, outline: getComputedStyle(document.activeElement).outlineStyle }));
    if (wanted.includes(id)) assert.notEqual(outline, 'none', `${id} does not show that it has the focus`);
    reached.push(id);
  }
  assert.deepEqual(wanted.filter((id) => !reached.includes(id)), []);
}

/** Goes to an element with the keyboard and uses it. */
export async function pressed(page, id) {
  for (let step = 0; step < 20; step += 1) {
    if ((await page.evaluate(() => document.activeElement.id)) === id) return page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
  }
  return assert.fail(`the keyboard does not reach ${id}`);
}

const LANGUAGES = ['en', 'de', 'fr', 'es', 'ja', 'ar'];
const texts = Object.fromEntries(LANGUAGES.map((code) => [code, JSON.parse(readFileSync(new URL(`../../server/assets/lang/${code}.json`, import.meta.url), 'utf8'))]));

/** A text of the pages, as they say it. */
export const textOf = (code, key, values = {}) => texts[code][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** Waits until an element says `text`; if it never does, the failure tells what it said instead. */
export async function says(page, id, text) {
  const saying = page.waitForFunction(([where, what]) => document.getElementById(where).textContent === what, [id, text], { timeout: 20_000 });
  await saying.catch(async (error) => assert.equal(await page.textContent(`#${id}`), text, error.message));
}

/** Nothing sticks out sideways, even where the page is as narrow as a reader's at 400 per cent. */
export async function fits(page) {
  const before = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  const out = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    return [...document.querySelectorAll('main *')]
      .filter((element) => element.checkVisibility() && element.localName !== 'option')
      .filter((element) => {
        const { left, right } = element.getBoundingClientRect();
        // What was typed into a field may be longer than the field, in any font.
        const spills = element.scrollWidth > element.clientWidth + 1 && element.localName !== 'input' && getComputedStyle(element).display !== 'inline';
        return left < -0.5 || right > width + 0.5 || spills;
      })
      .map((element) => element.outerHTML);
  });
  assert.deepEqual(out, []);
  await page.setViewportSize(before);
}

const toured = new Set();

/** A screen in every language, once: `keys` has the text of each element by its id. No name of a text shows in its place, nothing sticks out, nobody is kept out. */
export async function everyLanguage(page, keys, values = {}) {
  const name = Object.values(keys).join();
  if (toured.has(name)) return;
  toured.add(name);
  try {
    for (const code of LANGUAGES) {
      await page.selectOption('#language', code);
      for (const [id, key] of Object.entries(keys)) await says(page, id, textOf(code, key, values));
      assert.equal(await page.getAttribute('html', 'lang'), code);
      assert.equal(await page.getAttribute('html', 'dir'), code === 'ar' ? 'rtl' : 'ltr');
      const names = (await page.innerText('body')).split(/\s+/).filter((word) => word.includes('.') && word in texts.en);
      assert.deepEqual(names, [], code);
      await fits(page);
      // What axe looks at is the same in all that are written in one direction.
      if (code === 'en' || code === 'ar') await accessible(page);
    }
  } finally {
    // The other pages of this browser keep to what the tests read.
    await page.selectOption('#language', 'en');
  }
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
