// The pages, as people use them, in a real browser; the camera is fed from a file. Screenshots stay in target/screenshots.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { film, openBrowser } from './browser.mjs';
import { ELSEWHERE_ASKS_FOR_THE_NUMBER, folderWith, run, startDemo } from './harness.mjs';
import { accessible, everyLanguage, fits, openPage, track, withdrawal } from './pages.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const pictures = join(resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), 'screenshots');
let demo;
let browser;

before(async () => {
  mkdirSync(pictures, { recursive: true });
  demo = await startDemo();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

const picture = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });

const opened = (context, address) => openPage(demo, context, address);

const desk = async () => {
  const page = await opened(browser, '/demo');
  await page.waitForSelector('html[data-ready]');
  return page;
};

/** Makes an enrolment link at the desk for `user` and enrols the phone that `context` is. */
async function enrolPhone(context, user) {
  const page = await desk();
  await page.click('#tab-phone');
  await page.fill('#enrol-user', user);
  await page.click('#enrol button');
  await page.waitForSelector('#enrol-link:not([hidden])');
  const link = await page.getAttribute('#enrol-open', 'href');
  const phone = await context.newPage();
  await phone.goto(new URL(link, demo.origin).href);
  await phone.waitForSelector('#enrol:not([hidden])');
  await picture(phone, `phone-enrol-${user}`);
  await accessible(phone);
  await phone.click('#do-enrol');
  await phone.waitForSelector('#done:not([hidden])');
  assert.equal(await phone.textContent('#done-title'), 'Enrolled');
  await page.waitForFunction(() => document.getElementById('enrol-state').textContent.includes('is enrolled'));
  await page.close();
  return phone;
}

async function withdraw(page, user, place = '81.2.69.142') {
  await page.fill('#user', user);
  await page.selectOption('#action', 'withdrawal');
  await page.selectOption('#place', place);
  await page.click('#go');
  await page.waitForSelector('#challenge:not([hidden])');
  await page.waitForFunction(() => document.getElementById('code').complete && document.getElementById('code').naturalWidth > 0);
}

test('a payment is challenged, shown on the phone with its context, approved, and the first screen turns', async () => {
  await (await enrolPhone(browser, 'ann')).close();
  const page = await desk();
  await accessible(page);
  await withdraw(page, 'ann');
  assert.equal(await page.textContent('#verdict'), 'Needs a confirmation');
  await picture(page, 'payment-challenged');
  await accessible(page);
  const phone = await browser.newPage();
  await phone.goto(new URL(await page.getAttribute('#open-phone', 'href'), demo.origin).href);
  await phone.waitForSelector('#request:not([hidden])');
  const shown = await phone.textContent('#request');
  for (const fact of ['withdrawal', 'ann', '250', 'EUR', 'DE89 3704 0044 0532 0130 00', '81.2.69.142', 'United Kingdom']) assert.ok(shown.includes(fact), `the phone shows ${fact}: ${shown}`);
  await page.waitForFunction(() => document.getElementById('live').textContent.includes('phone shows'));
  await picture(phone, 'phone-request');
  await accessible(phone);
  await phone.click('#approve');
  await phone.waitForSelector('#done:not([hidden])');
  assert.equal(await phone.textContent('#done-title'), 'Approved');
  await page.waitForFunction(() => document.getElementById('live').textContent.startsWith('Done'));
  assert.equal(await page.textContent('#verdict'), 'Confirmed');
  await picture(page, 'payment-confirmed');
  assert.deepEqual(page.problems, []);
  await phone.close();
  await page.close();
});

test('a rejected payment says so on the first screen', async () => {
  const page = await desk();
  await withdraw(page, 'ann');
  const phone = await opened(browser, new URL(await page.getAttribute('#open-phone', 'href'), demo.origin).href.slice(demo.origin.length));
  await phone.waitForSelector('#request:not([hidden])');
  await phone.click('#reject');
  await page.waitForFunction(() => document.getElementById('verdict').textContent === 'Rejected');
  await phone.close();
  await page.close();
});

test('a sign-in from a listed address is blocked, with its reason', async () => {
  const page = await desk();
  await page.selectOption('#action', 'sign_in');
  await page.selectOption('#place', '203.0.113.66');
  await page.click('#go');
  await page.waitForSelector('#verdict');
  assert.equal(await page.textContent('#verdict'), 'Blocked');
  assert.ok((await page.textContent('#decision')).includes('IP_BLOCKED'));
  await picture(page, 'sign-in-blocked');
  await page.close();
});

test('at the kiosk the phone reads the code with its camera, and the kiosk greets the person', async () => {
  const kiosk = await desk();
  await kiosk.click('#tab-kiosk');
  await kiosk.waitForFunction(() => document.getElementById('kiosk-code').complete && document.getElementById('kiosk-code').naturalWidth > 0);
  await accessible(kiosk);
  const pixels = await kiosk.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, 640, 480);
    context.drawImage(document.getElementById('kiosk-code'), 140, 60, 360, 360);
    return [...context.getImageData(0, 0, 640, 480).data];
  });
  const camera = join(mkdtempSync(join(tmpdir(), 'stepup-camera-')), 'qr.y4m');
  film(camera, { width: 640, height: 480, data: pixels });

  const pocket = await openBrowser({ camera });
  try {
    await (await enrolPhone(pocket, 'bea')).close();
    const phone = await opened(pocket, '/authenticator');
    await phone.setViewportSize({ width: 390, height: 844 });
    await phone.waitForSelector('#home:not([hidden])');
    await accessible(phone);
    await phone.click('#start-scan');
    await phone.waitForSelector('#request:not([hidden])', { timeout: 20_000 });
    assert.ok((await phone.textContent('#request')).includes('kiosk_login'));
    await kiosk.waitForFunction(() => document.getElementById('kiosk-live').textContent.includes('Answer on your phone'));
    await picture(phone, 'phone-kiosk-request');
    await phone.click('#approve');
    await kiosk.waitForFunction(() => document.getElementById('kiosk-title').textContent === 'Hello, bea.');
    await picture(kiosk, 'kiosk-signed-in');
    assert.deepEqual(phone.problems, []);
  } finally {
    await pocket.close();
  }
  await kiosk.close();
});

test('the hosted page shows the code, follows the phone and takes the person back', async () => {
  const { url } = await tracked('ann', { redirectUrl: `${demo.origin}/demo` });
  const page = await opened(browser, url);
  await page.waitForSelector('#qr:not([hidden])');
  await accessible(page);
  await picture(page, 'hosted-challenge');
  const phone = await opened(browser, await page.getAttribute('#here', 'href'));
  await phone.waitForSelector('#request:not([hidden])');
  await phone.click('#approve');
  await page.waitForURL(/\/demo\?token=/);
  await phone.close();
  await page.close();
});

test('a stale code and a foreign code have honest words', async () => {
  const phone = await opened(browser, '/authenticator#c=00000000-0000-4000-8000-000000000000');
  await phone.waitForSelector('#done:not([hidden])');
  assert.equal(await phone.textContent('#done-title'), 'Unknown code');
  await phone.close();
});

test('dark colours are as legible as light ones', async () => {
  for (const address of ['/demo', '/authenticator']) {
    const page = await browser.newPage();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(`${demo.origin}${address}`);
    await page.waitForSelector('main section:not([hidden])');
    await accessible(page);
    await picture(page, `dark${address.replaceAll('/', '-')}`);
    await page.close();
  }
});

/** A page that asks in `locale`, in a browser of its own. */
async function inLanguage(locale) {
  const own = await openBrowser({ locale });
  return { own, opened: (address) => opened(own, address) };
}

for (const [locale, direction, words] of [['de-AT', 'ltr', 'nicht registriert'], ['fr', 'ltr', 'pas enregistré'], ['es-MX', 'ltr', 'no está registrado'], ['ja', 'ltr', '未登録'], ['ar-EG', 'rtl', 'غير مسجل']]) {
  test(`${locale}: the phone page speaks it, in its direction, and nobody is kept out`, async () => {
    const { own, opened: open } = await inLanguage(locale);
    try {
      const page = await open('/authenticator');
      await page.waitForSelector('#empty:not([hidden])');
      assert.ok((await page.textContent('#empty h1')).includes(words));
      assert.equal(await page.getAttribute('html', 'dir'), direction);
      assert.equal(await page.getAttribute('html', 'lang'), locale.split('-')[0]);
      await accessible(page);
      await picture(page, `phone-${locale}`);
      await page.selectOption('#language', 'en');
      await page.waitForFunction(() => document.querySelector('#empty h1').textContent === 'This phone is not enrolled');
      assert.equal(await page.getAttribute('html', 'dir'), 'ltr');
      assert.deepEqual(page.problems, []);
    } finally {
      await own.close();
    }
  });
}

const asked = (user, action, body) => track(demo, user, action, body);
const tracked = (user, body) => withdrawal(demo, user, body);

test('a person without a phone is walked through enrolment, and then confirms', async () => {
  const page = await opened(browser, (await tracked('nell')).url.slice(demo.origin.length));
  await everyLanguage(page, { title: 'screen.enrol.title', status: 'screen.enrol.text' });
  const pocket = await openBrowser();
  try {
    const link = await page.getAttribute('#here', 'href');
    // What a service answers that takes only keys whose maker vouches for them.
    const unproven = await opened(pocket, link);
    await unproven.route('**/user-authenticators/*', (route) => route.fulfill({ status: 403, json: { errorCode: 'attestation_refused' } }));
    await unproven.click('#do-enrol');
    await unproven.waitForSelector('#done:not([hidden])');
    await everyLanguage(unproven, { 'done-title': 'refused.attestation_refused.title', 'done-text': 'refused.attestation_refused.text' });
    await unproven.close();
    const phone = await opened(pocket, link);
    await phone.waitForSelector('#enrol:not([hidden])');
    await everyLanguage(phone, { 'enrol-user': 'enrol.text', 'do-enrol': 'enrol.go' }, { user: 'nell' });
    await phone.click('#do-enrol');
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Enrolled');
    await everyLanguage(phone, { 'done-title': 'enrol.done.title', 'done-text': 'enrol.done.text', 'done-home': 'codes.done' }, { user: 'nell' });
    await page.waitForFunction(() => document.getElementById('status').textContent === 'Waiting for your phone.');
    await page.waitForFunction(() => /\/qr\/[\w-]{130}\.svg$/.test(document.getElementById('code').src));
    const payload = /([\w-]{130})\.svg$/.exec(await page.getAttribute('#code', 'src'))[1];
    await phone.goto(`${demo.origin}/q/${payload}`);
    await phone.waitForSelector('#request:not([hidden])');
    await page.waitForFunction(() => document.getElementById('status').textContent.startsWith('Your phone has'));
    await accessible(page);
    await phone.click('#approve');
    await page.waitForFunction(() => document.getElementById('title').textContent === 'Confirmed');
    await accessible(page);
    // One bit of the signature is another: nobody here made that code.
    await phone.goto(`${demo.origin}/q/${payload.slice(0, 60)}${payload[60] === 'A' ? 'B' : 'A'}${payload.slice(61)}`);
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Not one of ours');
    assert.deepEqual([...page.problems, ...phone.problems], []);
  } finally {
    await pocket.close();
  }
  await page.close();
});

test('recovery codes are shown once, and one of them confirms a request when the phone is gone', async () => {
  const pocket = await openBrowser();
  let codes;
  try {
    const phone = await enrolPhone(pocket, 'rita');
    codes = await phone.locator('#code-list li').allTextContents();
    assert.equal(codes.length, 10);
    assert.match(codes[0], /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
    await accessible(phone);
    await picture(phone, 'phone-recovery-codes');
    await phone.click('#done-home');
    await phone.waitForSelector('#home:not([hidden])');
    assert.ok(!(await phone.textContent('body')).includes(codes[0]));
  } finally {
    await pocket.close();
  }
  const { url } = await asked('rita', 'password_change');
  const page = await opened(browser, url.slice(demo.origin.length));
  await page.waitForSelector('#lost:not([hidden])');
  const elsewhere = await opened(browser, url.slice(demo.origin.length));
  await elsewhere.waitForSelector('#here:not([hidden])');
  await page.click('#lost');
  await page.waitForSelector('#recovery:not([hidden])');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'recovery-code');
  await accessible(page);
  await page.keyboard.type('0000-0000-0000-0000');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.getElementById('recovery-problem').textContent === 'This is none of the codes that are left.');
  await picture(page, 'hosted-recovery');
  await everyLanguage(page, { 'recovery-problem': 'recovery.wrong', 'recovery-enrol': 'recovery.enrol' });
  await page.fill('#recovery-code', codes[0].toLowerCase());
  await page.click('#recovery-confirm');
  await page.waitForFunction(() => document.getElementById('status').textContent === 'Confirmed with a recovery code. Codes left: 9.');
  await everyLanguage(page, { title: 'screen.approved.title', status: 'screen.recovered' }, { count: '9' });
  // Another view of it confirms nothing any more.
  await everyLanguage(elsewhere, { title: 'screen.superseded.title', status: 'screen.superseded.text' });
  await elsewhere.close();
  // The refused code is an error to the browser, too, and the only one.
  assert.deepEqual(page.problems.filter((problem) => !problem.includes('400')), []);
  await page.close();
  // Rules saw it: nobody changes the password a second time today.
  assert.equal((await asked('rita', 'password_change')).state, 'BLOCK');
});

test('a request that needs a phone lets a new one in with a code, and that one confirms it', async () => {
  const lost = await openBrowser();
  const codes = await enrolPhone(lost, 'tess').then((phone) => phone.locator('#code-list li').allTextContents());
  await lost.close();
  const page = await opened(browser, (await tracked('tess')).url.slice(demo.origin.length));
  await page.waitForSelector('#lost:not([hidden])');
  await page.click('#lost');
  await page.fill('#recovery-code', codes[3]);
  await page.click('#recovery-confirm');
  await page.waitForFunction(() => document.getElementById('recovery-problem').textContent.startsWith('This request needs a phone'));
  await everyLanguage(page, { 'recovery-problem': 'recovery.phone' });
  await page.click('#recovery-enrol');
  await page.waitForFunction(() => document.getElementById('title').textContent === 'Enrol your phone first');
  await accessible(page);
  const pocket = await openBrowser();
  try {
    const phone = await opened(pocket, await page.getAttribute('#here', 'href'));
    await phone.click('#do-enrol');
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Enrolled');
    // Nine codes are left: no new ones.
    assert.equal(await phone.locator('#codes').isVisible(), false);
    await page.waitForFunction(() => document.getElementById('status').textContent === 'Waiting for your phone.');
    await phone.goto(new URL(await page.getAttribute('#here', 'href'), demo.origin).href);
    await phone.waitForSelector('#request:not([hidden])');
    await phone.click('#approve');
    await page.waitForFunction(() => document.getElementById('title').textContent === 'Confirmed');
  } finally {
    await pocket.close();
  }
  await page.close();
});

test('the first phone says yes to a second one', async () => {
  const first = await openBrowser();
  await enrolPhone(first, 'vera');
  const page = await desk();
  await page.click('#tab-phone');
  await page.fill('#enrol-user', 'vera');
  await page.click('#enrol button');
  await page.waitForSelector('#enrol-first:not([hidden])');
  await accessible(page);
  const link = new URL(await page.getAttribute('#enrol-open', 'href'), demo.origin);
  const second = await openBrowser();
  try {
    const phone = await opened(second, `${link.pathname}${link.hash}`);
    await phone.click('#do-enrol');
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'This phone was not enrolled');
    const confirm = new URL(await page.getAttribute('#enrol-confirm', 'href'), demo.origin);
    const hosted = await opened(browser, `${confirm.pathname}${confirm.search}`);
    await hosted.waitForSelector('#here:not([hidden])');
    const asked = await opened(first, await hosted.getAttribute('#here', 'href'));
    await asked.waitForSelector('#request:not([hidden])');
    await asked.click('#approve');
    await hosted.waitForFunction(() => document.getElementById('title').textContent === 'Confirmed');
    await phone.reload();
    await phone.click('#do-enrol');
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Enrolled');
    await hosted.close();

    // The first one is told of it with every request, until it has approved one.
    const request = async () => {
      const screen = await opened(browser, (await tracked('vera')).url);
      await screen.waitForSelector('#here:not([hidden])');
      const told = await opened(first, await screen.getAttribute('#here', 'href'));
      await told.waitForSelector('#request:not([hidden])');
      await screen.close();
      return told;
    };
    const told = await request();
    const words = await told.textContent('#added[role=alert]:not([hidden])');
    assert.match(words, /^Added to this account since you last approved here: \u2068.+\u2069 \(.+\)\. If that was not you, reject this/);
    await accessible(told);
    await fits(told);
    await picture(told, 'phone-added');
    await told.click('#reject');
    await told.waitForFunction(() => document.getElementById('done-title').textContent === 'Rejected');
    const again = await request();
    assert.equal(await again.textContent('#added:not([hidden])'), words);
    await again.click('#approve');
    await again.waitForFunction(() => document.getElementById('done-title').textContent === 'Approved');
    assert.ok(await (await request()).isHidden('#added'));
  } finally {
    await first.close();
    await second.close();
  }
  await page.close();
});

test('offline the phone opens and shows who it is; a lost request is sent again only by the person', async () => {
  const pocket = await openBrowser();
  try {
    await (await enrolPhone(pocket, 'olga')).close();
    const phone = await opened(pocket, '/authenticator');
    await phone.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated' || new Promise((done) => { active.onstatechange = done; })));
    const { url } = await tracked('olga');
    const page = await opened(browser, url.slice(demo.origin.length));
    await page.waitForSelector('#here:not([hidden])');
    const link = await page.getAttribute('#here', 'href');
    await pocket.setOffline(true);
    await phone.goto(`${demo.origin}/authenticator`);
    await phone.waitForSelector('#home:not([hidden])');
    assert.ok((await phone.textContent('#who')).includes('olga'));
    assert.ok(await phone.isVisible('#offline'));
    await accessible(phone);
    await phone.goto(new URL(link, demo.origin).href);
    await phone.waitForSelector('#done:not([hidden])');
    assert.equal(await phone.textContent('#done-title'), 'No connection');
    await accessible(phone);
    await pocket.setOffline(false);
    // Nothing was sent behind the person's back.
    assert.equal(await page.textContent('#status'), 'Waiting for your phone.');
    await phone.click('#retry');
    await phone.waitForSelector('#request:not([hidden])');
    await pocket.setOffline(true);
    await phone.click('#approve');
    await phone.waitForSelector('#retry:not([hidden])');
    await pocket.setOffline(false);
    await phone.click('#retry');
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Approved');
    await page.waitForFunction(() => document.getElementById('title').textContent === 'Confirmed');
    await page.close();
  } finally {
    await pocket.close();
  }
});

test('a camera that is denied and a code of others have screens of their own', async () => {
  const phone = await opened(browser, '/authenticator');
  await phone.evaluate(() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError')); });
  await phone.waitForSelector('#home:not([hidden])');
  await phone.click('#start-scan');
  await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'The camera is not allowed');
  await everyLanguage(phone, { 'done-title': 'camera.denied.title', 'done-text': 'camera.denied.text' });
  await phone.goto(`${demo.origin}/q/nonsense`);
  await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Not one of ours');
  await everyLanguage(phone, { 'done-title': 'refused.foreign.title', 'done-text': 'refused.foreign.text' });
  await phone.close();
});

test('a phone page that was closed while the key for codes changed learns the new one when it meets it', async () => {
  const pocket = await openBrowser();
  try {
    await (await enrolPhone(pocket, 'kay')).close();
    const rotated = run('keys', 'rotate', '--qr', '--after', '0s', '--data', demo.data);
    assert.equal(rotated.code, 0, rotated.err);
    demo.child.kill('SIGHUP');
    const page = await opened(browser, (await tracked('kay')).url.slice(demo.origin.length));
    let payload = '';
    for (const until = Date.now() + 30_000; Buffer.from(payload, 'base64url')[1] !== 2; ) {
      assert.ok(Date.now() < until, 'the service does not read its new key');
      await page.reload();
      await page.waitForFunction(() => /\/qr\/[\w-]{130}\.svg$/.test(document.getElementById('code').src));
      payload = /([\w-]{130})\.svg$/.exec(await page.getAttribute('#code', 'src'))[1];
    }
    const phone = await opened(pocket, `/q/${payload}`);
    await phone.waitForSelector('#request:not([hidden])');
    await phone.click('#approve');
    await page.waitForFunction(() => document.getElementById('title').textContent === 'Confirmed');
    assert.deepEqual([...page.problems, ...phone.problems], []);
  } finally {
    await pocket.close();
  }
});

test('a phone that is elsewhere types the number that only the screen shows', async () => {
  const usual = demo;
  demo = await startDemo({ cwd: folderWith(ELSEWHERE_ASKS_FOR_THE_NUMBER) });
  const pocket = await openBrowser();
  try {
    await (await enrolPhone(pocket, 'mia')).close();
    const asked = async () => {
      const page = await opened(browser, (await tracked('mia')).url.slice(demo.origin.length));
      await page.waitForSelector('#here:not([hidden])');
      const phone = await opened(pocket, await page.getAttribute('#here', 'href'));
      await phone.waitForSelector('#code-row:not([hidden])');
      await page.waitForFunction(() => /^\d\d$/.test(document.getElementById('digits').textContent));
      return { page, phone, digits: await page.textContent('#digits') };
    };
    const wrong = (digits) => String((Number(digits) + 1) % 100).padStart(2, '0');

    const { page, phone, digits } = await asked();
    await everyLanguage(page, { title: 'screen.title', status: 'screen.match' });
    await accessible(phone);
    await picture(page, 'hosted-number');
    await picture(phone, 'phone-number');
    await phone.fill('#match-code', wrong(digits));
    await phone.click('#approve');
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Those are not the digits');
    await phone.click('#retry');
    await phone.fill('#match-code', digits);
    await phone.click('#approve');
    await phone.waitForFunction(() => document.getElementById('done-title').textContent === 'Approved');
    await page.waitForFunction(() => document.getElementById('title').textContent === 'Confirmed');
    assert.equal(await page.textContent('#digits'), '');
    await phone.close();
    await page.close();

    const guessed = await asked();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await guessed.phone.waitForSelector('#code-row:not([hidden])');
      await guessed.phone.fill('#match-code', wrong(guessed.digits));
      await guessed.phone.click('#approve');
      await guessed.phone.waitForSelector('#done:not([hidden])');
      if (attempt < 3) await guessed.phone.click('#retry');
    }
    assert.equal(await guessed.phone.textContent('#done-text'), 'That was the last attempt. The request is rejected.');
    assert.ok(await guessed.phone.isHidden('#retry'));
    await guessed.page.waitForFunction(() => document.getElementById('title').textContent === 'Rejected');
  } finally {
    await pocket.close();
    await demo.stop();
    demo = usual;
  }
});

test('the API is described for people, with a call to paste for every operation', async () => {
  const page = await opened(browser, '/docs');
  await page.waitForSelector('article');
  const api = await (await fetch(`${demo.origin}/openapi.json`)).json();
  const many = Object.values(api.paths).flatMap(Object.keys).length;
  assert.equal(await page.locator('article:visible').count(), many);
  assert.equal(await page.locator('article pre').count(), many);
  await picture(page, 'docs');
  await accessible(page);
  await fits(page);
  // What it says about an operation is what is written, and the example is taken as it stands.
  const track = page.locator('#post-users-userId-actions-action');
  assert.match(await track.innerText(), /Idempotency-Key[^]*optional, in the header/);
  // What is answered is told member by member, however narrow the page.
  await page.evaluate(() => { for (const folded of document.querySelectorAll('article details')) folded.open = true; });
  assert.match(await track.innerText(), /challenge\.expiresAt\s+string \(date-time\)/);
  await accessible(page);
  await fits(page);
  const command = await track.locator('pre').innerText();
  const body = command.slice(command.indexOf("-d '") + 4, command.lastIndexOf("'"));
  const address = /"(http[^"]*)"/.exec(command)[1];
  const answer = await fetch(address, { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Basic ${Buffer.from(`${demo.apiSecret}:`).toString('base64')}` }, body });
  assert.equal((await answer.json()).state, 'CHALLENGE_REQUIRED');
  await page.fill('#filter', 'dead-letters');
  assert.deepEqual(await page.locator('article:visible h3 code').allInnerTexts(), ['/v1/webhooks/dead-letters']);
  assert.equal(await page.textContent('#found'), '1 found');
  await page.emulateMedia({ colorScheme: 'dark' });
  await accessible(page);
  await page.fill('#filter', '');
  await page.click('a[href="#delete-users-userId"]');
  assert.ok(await page.locator('#delete-users-userId:target').isVisible());
  assert.deepEqual(page.problems, []);
  await page.close();
});

test('another site in the same browser cannot act through the demo', async () => {
  const answer = await fetch(`${demo.origin}/demo/enrol`, { method: 'POST', headers: { 'Sec-Fetch-Site': 'cross-site' }, body: '{"userId":"ann"}' });
  assert.equal(answer.status, 403);
  assert.equal((await answer.json()).error, 'forbidden');
});
