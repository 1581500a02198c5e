// Every screen on which a page has something unpleasant to say, in a real browser against the real server: its own words, and nobody kept out.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './browser.mjs';
import { folderWith, startDemo } from './harness.mjs';
import { accessible, everyLanguage, fits, keyboardReaches, openPage, pressed, says, textOf, track, withdrawal } from './pages.mjs';
import { Phone } from './phone.mjs';

/** The shortest that a rule may keep a challenge open. */
const BRIEF = `
event brief requires ip {}
policy brief on brief {
  default challenge qr { level: possession, expires: 10s }
  on unknown step_up
}
`;

const said = (key, values) => textOf('en', key, values);

let demo;
/** Where the hosted page is shown; it holds no key. */
let desk;
/** The browser of the phone. */
let pocket;

before(async () => {
  demo = await startDemo({ cwd: folderWith(BRIEF) });
  [desk, pocket] = await Promise.all([openBrowser(), openBrowser()]);
});
after(async () => {
  await Promise.all([desk?.close(), pocket?.close()]);
  await demo?.stop();
});

const opened = (context, address, prepare) => openPage(demo, context, address, prepare);
const enrolment = (user) => track(demo, user, 'device_enrol', { deviceId: `phone-of-${user}`, scope: 'add:authenticators' });

async function enrol(context, user) {
  const phone = await opened(context, `/authenticator#enrol=${(await enrolment(user)).token}`);
  await phone.click('#do-enrol');
  await ended(phone, 'enrol.done', { user });
  return phone;
}

let people = 0;
/** Somebody new, whose phone is `pocket`: nobody may have more than three requests open. */
async function somebody() {
  const user = `person-${people += 1}`;
  await (await enrol(pocket, user)).close();
  return user;
}

/** The hosted page of what was tracked, with the link that takes its request to a phone. */
async function shown({ url }, prepare) {
  const screen = await opened(desk, url, prepare);
  await screen.waitForSelector('#here:not([hidden])');
  return { screen, link: await screen.getAttribute('#here', 'href') };
}

/** The screen has these words, in every language. */
async function turned(screen, title, status) {
  await says(screen, 'title', said(title));
  await says(screen, 'status', said(status));
  await everyLanguage(screen, { title, status });
}

/** The phone has come to an end, in the words of `key`. */
async function ended(phone, key, values = {}) {
  await says(phone, 'done-title', said(`${key}.title`, values));
  assert.equal(await phone.textContent('#done-text'), said(`${key}.text`, values));
  assert.equal(await phone.locator('[data-section]:not([hidden])').count(), 1);
  // The heading has the focus, so that a screen reader says it.
  assert.equal(await phone.evaluate(() => document.activeElement.id), 'done-title');
  await everyLanguage(phone, { 'done-title': `${key}.title`, 'done-text': `${key}.text` }, values);
}

async function approve(context, link) {
  const phone = await opened(context, link);
  await phone.click('#approve');
  await ended(phone, 'request.approved');
  return phone;
}

test('expired: the screen, a phone that scans too late and a phone that answers too late say so', async () => {
  const user = await somebody();
  const { screen, link } = await shown(await track(demo, user, 'brief'));
  await screen.waitForFunction(() => /\/qr\/[\w-]{130}\.svg$/.test(document.getElementById('code').src));
  const scanned = /([\w-]{130})\.svg$/.exec(await screen.getAttribute('#code', 'src'))[1];
  const holding = await opened(pocket, link);
  await holding.waitForSelector('#request:not([hidden])');
  await says(screen, 'title', said('screen.expired.title'));
  // It does not say so a moment early.
  await holding.click('#approve');
  await ended(holding, 'refused.challenge_expired');
  assert.ok(await holding.isHidden('#retry'));
  await turned(screen, 'screen.expired.title', 'screen.expired.text');
  assert.ok(await screen.isHidden('#qr'));
  assert.ok(await screen.isVisible('#again'));

  // The plain link asks the service; the signed code says it of itself.
  for (const late of [link, `/q/${scanned}`]) {
    const phone = await opened(pocket, late);
    await ended(phone, 'refused.challenge_expired');
    await phone.close();
  }

  // The person may go on from here.
  await screen.click('#again');
  await says(screen, 'status', said('screen.waiting'));
  assert.notEqual(await screen.getAttribute('#here', 'href'), link);
  await holding.close();
  await screen.close();
});

test('already claimed: the phone that comes second learns that another was faster', async () => {
  const user = await somebody();
  const second = await enrolment(user);
  const confirming = await shown(second);
  await (await approve(pocket, confirming.link)).close();
  await says(confirming.screen, 'title', said('screen.approved.title'));
  await confirming.screen.close();
  const faster = new Phone(demo);
  assert.equal((await faster.addCredential(second.token)).status, 200);

  const { screen, link } = await shown(await withdrawal(demo, user));
  assert.equal((await faster.claim(link.split('=')[1])).json.success, true);
  await turned(screen, 'screen.title', 'screen.claimed');
  const phone = await opened(pocket, link);
  await ended(phone, 'refused.challenge_already_claimed');
  assert.ok(await phone.isHidden('#retry'));
  await accessible(phone);
  // It is still the faster one's to answer.
  assert.equal(await screen.textContent('#status'), said('screen.claimed'));
  await phone.close();
  await screen.close();
});

test('a phone with several accounts asks with the one that was used last', async () => {
  const [older, newer] = [await somebody(), await somebody()];
  const claims = async (user) => {
    const { screen, link } = await shown(await withdrawal(demo, user));
    let asked = 0;
    const phone = await opened(pocket, link, (page) => page.on('request', (request) => { asked += request.url().endsWith('/challenge/claim') ? 1 : 0; }));
    await phone.click('#reject');
    await ended(phone, 'request.rejected');
    for (const page of [phone, screen]) await page.close();
    return asked;
  };
  assert.deepEqual([await claims(newer), await claims(older), await claims(older)], [1, 2, 1]);
});

test('clock skew: a phone that is half an hour ahead is told about its clock, not that the request has expired', async () => {
  const user = await somebody();
  const { screen, link } = await shown(await withdrawal(demo, user));
  await screen.waitForFunction(() => /\/qr\/[\w-]{130}\.svg$/.test(document.getElementById('code').src));
  const scanned = /([\w-]{130})\.svg$/.exec(await screen.getAttribute('#code', 'src'))[1];
  const ahead = (minutes) => (page) => page.clock.setSystemTime(Date.now() + minutes * 60_000);
  const phone = await opened(pocket, `/q/${scanned}`, ahead(30));
  await ended(phone, 'clock', { minutes: 30 });
  await accessible(phone);
  await phone.close();
  // The plain link is the service's to judge, whatever the clock; one that is behind hinders nothing.
  const behind = await opened(pocket, link, ahead(-30));
  await behind.waitForSelector('#request:not([hidden])');
  await behind.click('#reject');
  await ended(behind, 'request.rejected');
  await turned(screen, 'screen.rejected.title', 'screen.rejected.text');
  await behind.close();
  await screen.close();
});

test('clock skew: a screen with a wrong clock counts by the service’s', async () => {
  const user = await somebody();
  for (const minutes of [-30, 30]) {
    const { screen } = await shown(await withdrawal(demo, user), (page) => page.clock.setSystemTime(Date.now() + minutes * 60_000));
    await screen.waitForFunction(() => /\b(5:00|4:\d\d)\b/.test(document.getElementById('countdown').textContent));
    assert.equal(await screen.textContent('#status'), said('screen.waiting'));
    await screen.close();
  }
});

test('no camera: a machine without one is told what to do instead', async () => {
  const bare = await openBrowser({ camera: false });
  try {
    const page = await opened(bare, '/authenticator');
    await page.click('#start-scan-empty');
    await ended(page, 'camera.none');
    assert.ok(await page.isVisible('#retry'));
    await accessible(page);
    assert.deepEqual(page.problems, []);
  } finally {
    await bare.close();
  }
});

test('lost connection: an answer whose receipt is lost is sent again by the person, and counts once', async () => {
  const user = await somebody();
  const { screen, link } = await shown(await withdrawal(demo, user));
  const phone = await opened(pocket, link);
  await phone.waitForSelector('#request:not([hidden])');
  let sent = 0;
  await phone.route('**/user-authenticators/qr-code/challenge', async (route) => {
    sent += 1;
    if (sent > 1) return route.continue();
    await route.fetch();
    return route.abort('internetdisconnected');
  });
  await phone.click('#approve');
  await says(phone, 'done-title', said('offline.title'));
  await everyLanguage(phone, { 'done-title': 'offline.title', 'done-text': 'offline.answer' });
  // The service has it, and the screen knows before the phone does.
  await turned(screen, 'screen.approved.title', 'screen.approved.text');
  assert.equal(sent, 1);
  await phone.click('#retry');
  await ended(phone, 'request.approved');
  assert.equal(sent, 2);
  await phone.close();
  await screen.close();
});

test('lost connection: an enrolment that did not get through is tried again by the person', async () => {
  const fresh = await openBrowser();
  try {
    const phone = await opened(fresh, `/authenticator#enrol=${(await enrolment('otto')).token}`);
    await phone.waitForSelector('#enrol:not([hidden])');
    await fresh.setOffline(true);
    await phone.click('#do-enrol');
    await says(phone, 'done-title', said('offline.title'));
    assert.equal(await phone.textContent('#done-text'), said('offline.enrol'));
    await accessible(phone);
    await fresh.setOffline(false);
    await phone.click('#retry');
    await ended(phone, 'enrol.done', { user: 'otto' });
  } finally {
    await fresh.close();
  }
});

test('lost connection: an enrolment whose receipt is lost is the same phone when it is tried again', async () => {
  const fresh = await openBrowser();
  try {
    const phone = await opened(fresh, `/authenticator#enrol=${(await enrolment('lotte')).token}`);
    let sent = 0;
    await phone.route('**/user-authenticators/qr-code', async (route) => {
      sent += 1;
      if (sent > 1) return route.continue();
      await route.fetch();
      return route.abort('internetdisconnected');
    });
    await phone.click('#do-enrol');
    await says(phone, 'done-title', said('offline.title'));
    await phone.click('#retry');
    await ended(phone, 'enrol.done', { user: 'lotte' });
    const known = await fetch(`${demo.baseUrl}/users/lotte/authenticators`, { headers: { Authorization: `Basic ${btoa(`${demo.apiSecret}:`)}` } });
    assert.deepEqual([sent, (await known.json()).length], [2, 1]);
  } finally {
    await fresh.close();
  }
});

test('another person’s request and a damaged enrolment link have words of their own', async () => {
  const user = await somebody();
  const other = await openBrowser();
  try {
    await (await enrol(other, 'bert')).close();
    const { screen, link } = await shown(await withdrawal(demo, user));
    const phone = await opened(other, link);
    await ended(phone, 'refused.wrong_user');
    await accessible(phone);
    assert.equal(await screen.textContent('#status'), said('screen.waiting'));
    await screen.close();
  } finally {
    await other.close();
  }
  const phone = await opened(desk, '/authenticator#enrol=nonsense');
  await ended(phone, 'refused.link');
  await accessible(phone);
  await phone.close();
});

const WITHOUT_A_SOCKET = {
  'a browser that has none': (page) => page.addInitScript(() => { delete window.WebSocket; }),
  'a network that lets none through': (page) => page.routeWebSocket(/./, (socket) => socket.close()),
};
for (const [what, prepare] of Object.entries(WITHOUT_A_SOCKET)) {
  test(`without WebSocket, ${what}: the screen asks again and again, and turns`, async () => {
    const user = await somebody();
    const { screen, link } = await shown(await withdrawal(demo, user), prepare);
    assert.equal(await screen.textContent('#status'), said('screen.waiting'));
    const phone = await opened(pocket, link);
    await phone.waitForSelector('#request:not([hidden])');
    await says(screen, 'status', said('screen.claimed'));
    await phone.click('#approve');
    await ended(phone, 'request.approved');
    await says(screen, 'title', said('screen.approved.title'));
    assert.equal(await screen.textContent('#status'), said('screen.approved.text'));
    assert.deepEqual(screen.problems, []);
    await phone.close();
    await screen.close();
  });
}

test('without WebSocket a code that has expired is replaced when the person asks', async () => {
  const user = await somebody();
  const { screen, link } = await shown(await track(demo, user, 'brief'), WITHOUT_A_SOCKET['a browser that has none']);
  await says(screen, 'title', said('screen.expired.title'));
  await screen.click('#again');
  await says(screen, 'status', said('screen.waiting'));
  const next = await screen.getAttribute('#here', 'href');
  assert.notEqual(next, link);
  await (await approve(pocket, next)).close();
  await says(screen, 'title', said('screen.approved.title'));
  await screen.close();
});

test('a socket that breaks while the code is on show: the screen goes on by polling', async () => {
  const user = await somebody();
  let cut;
  const { screen, link } = await shown(await withdrawal(demo, user), (page) => page.routeWebSocket(/./, (socket) => {
    socket.connectToServer();
    cut = () => socket.close();
  }));
  await Promise.all([screen.waitForRequest('**/verify/qr-code'), cut()]);
  // What was scanned before still counts.
  assert.equal(await screen.getAttribute('#here', 'href'), link);
  assert.equal(await screen.textContent('#status'), said('screen.waiting'));
  await (await approve(pocket, link)).close();
  await says(screen, 'title', said('screen.approved.title'));
  await screen.close();
});

test('a socket that breaks after the phone has the request: the screen goes on with that one', async () => {
  const user = await somebody();
  let cut;
  const { screen, link } = await shown(await withdrawal(demo, user), (page) => page.routeWebSocket(/./, (socket) => {
    socket.connectToServer();
    cut = () => socket.close();
  }));
  const phone = await opened(pocket, link);
  await phone.waitForSelector('#request:not([hidden])');
  await says(screen, 'status', said('screen.claimed'));
  await Promise.all([screen.waitForRequest('**/verify/qr-code'), cut()]);
  await phone.click('#approve');
  await ended(phone, 'request.approved');
  await says(screen, 'title', said('screen.approved.title'));
  await phone.close();
  await screen.close();
});

test('a screen without a connection says that nothing was confirmed, and goes on when asked', async () => {
  const user = await somebody();
  const { url } = await withdrawal(demo, user);
  const screen = await opened(desk, url, (page) => page.route('**/v1/client/**', (route) => route.abort('internetdisconnected')));
  await turned(screen, 'screen.offline.title', 'screen.offline.text');
  await screen.unrouteAll();
  await screen.click('#again');
  await says(screen, 'status', said('screen.waiting'));
  await screen.close();
});

test('a page whose texts do not arrive asks for them again', async () => {
  const { url } = await withdrawal(demo, await somebody());
  const lost = (page) => page.route('**/assets/lang/*.json', (route) => route.abort('internetdisconnected'), { times: 2 });
  const screen = await opened(desk, url, lost);
  await says(screen, 'status', said('screen.waiting'));
  assert.deepEqual(screen.problems.filter((problem) => !problem.includes('Failed to load resource')), []);
  await screen.close();
});

test('keyboard alone: a person enrols, confirms and asks for the way out, and sees where they are', async () => {
  const own = await openBrowser();
  try {
    const phone = await opened(own, `/authenticator#enrol=${(await enrolment('kit')).token}`);
    await phone.waitForSelector('#enrol:not([hidden])');
    await keyboardReaches(phone);
    await pressed(phone, 'do-enrol');
    await ended(phone, 'enrol.done', { user: 'kit' });
    await keyboardReaches(phone);
    await pressed(phone, 'done-home');
    await phone.waitForSelector('#home:not([hidden])');
    await phone.close();

    const { screen, link } = await shown(await withdrawal(demo, 'kit'));
    await keyboardReaches(screen);
    await pressed(screen, 'lost');
    await screen.waitForSelector('#recovery:not([hidden])');
    await keyboardReaches(screen);
    const request = await opened(own, link);
    await request.waitForSelector('#request:not([hidden])');
    await keyboardReaches(request);
    await pressed(request, 'approve');
    await ended(request, 'request.approved');
    await says(screen, 'title', said('screen.approved.title'));
    assert.deepEqual([...request.problems, ...screen.problems], []);
    await screen.close();
  } finally {
    await own.close();
  }
});

test('reduced motion: nothing moves for whoever asked for that', async () => {
  const user = await somebody();
  for (const [reducedMotion, moves] of [['no-preference', true], ['reduce', false]]) {
    const { screen, link } = await shown(await withdrawal(demo, user), (page) => page.emulateMedia({ reducedMotion }));
    await screen.evaluate(() => {
      window.moved = 0;
      for (const start of ['transitionrun', 'animationstart']) addEventListener(start, () => { window.moved += 1; });
    });
    const phone = await opened(pocket, link, (page) => page.emulateMedia({ reducedMotion }));
    await phone.waitForSelector('#request:not([hidden])');
    await says(screen, 'status', said('screen.claimed'));
    // Two frames later whatever moves has begun.
    await screen.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    assert.equal(await screen.evaluate(() => window.moved > 0), moves, reducedMotion);
    if (!moves) for (const page of [screen, phone]) assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    await phone.click('#reject');
    await ended(phone, 'request.rejected');
    await phone.close();
    await screen.close();
  }
});

test('the screen returns to a registered origin only', async () => {
  const user = await somebody();
  const { port } = new URL(demo.origin);
  const elsewhere = ['https://evil.example/taken', `http://127.0.0.1:${port}.evil.example/`, `http://127.0.0.1:${port}@evil.example/`, `https://127.0.0.1:${port}/demo`, 'http://127.0.0.1:1/demo'];
  for (const [number, redirectUrl] of elsewhere.entries()) {
    const { warnings } = await withdrawal(demo, `elsewhere-${number}`, { redirectUrl });
    assert.equal(warnings?.[0].code, 'origin-not-registered', redirectUrl);
  }
  const visited = [];
  const { screen, link } = await shown(await withdrawal(demo, user, { redirectUrl: elsewhere[0] }), async (page) => {
    page.on('request', (request) => request.isNavigationRequest() && visited.push(new URL(request.url()).origin));
    await page.clock.install();
  });
  await (await approve(pocket, link)).close();
  await says(screen, 'title', said('screen.approved.title'));
  assert.equal(await screen.textContent('#status'), said('screen.approved.text'));
  await screen.clock.runFor(10_000);
  assert.deepEqual(visited, [demo.origin]);
  assert.equal(await screen.textContent('#title'), said('screen.approved.title'));
  await screen.close();
});

test('an address that somebody wrote into the token is not followed', async () => {
  const user = await somebody();
  const [head, body, signature] = new URL((await withdrawal(demo, user)).url).searchParams.get('token').split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  claims.other.redirectUrl = 'https://evil.example/taken';
  const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
  const screen = await opened(desk, `/challenge?token=${forged}`);
  await turned(screen, 'screen.refused.title', 'screen.refused.text');
  assert.ok(await screen.isHidden('#again'));
  assert.ok(await screen.isHidden('#here'));
  await screen.close();
});

for (const [way, prepare] of [['a socket', undefined], ['polling', WITHOUT_A_SOCKET['a browser that has none']]]) {
  test(`too many open requests, by ${way}: the screen says to wait, not that it cannot be confirmed, and goes on when one is answered`, async () => {
    const user = await somebody();
    const open = [];
    // The third is that of the enrolment, which nobody has answered.
    for (let number = 0; number < 2; number += 1) open.push(await shown(await withdrawal(demo, user)));
    const screen = await opened(desk, (await withdrawal(demo, user)).url, prepare);
    await turned(screen, 'screen.busy.title', 'screen.busy.text');
    assert.ok(await screen.isHidden('#qr'));
    const phone = await opened(pocket, open[0].link);
    await phone.click('#reject');
    await ended(phone, 'request.rejected');
    await screen.click('#again');
    await says(screen, 'status', said('screen.waiting'));
    for (const page of [phone, screen, ...open.map((one) => one.screen)]) await page.close();
  });
}

test('whose phones were removed is told how to go on, with recovery codes and without', async () => {
  const user = await somebody();
  const { url } = await withdrawal(demo, user);
  const headers = { Authorization: `Basic ${Buffer.from(`${demo.apiSecret}:`).toString('base64')}` };
  const authenticators = `${demo.baseUrl}/users/${user}/authenticators`;
  for (const { userAuthenticatorId } of await fetch(authenticators, { headers }).then((answer) => answer.json())) {
    const removed = await fetch(`${authenticators}/${userAuthenticatorId}`, { method: 'DELETE', headers });
    assert.equal(removed.status, 200);
  }
  const withCodes = await opened(desk, url);
  await turned(withCodes, 'screen.lost.title', 'screen.lost.text');
  assert.ok(await withCodes.isVisible('#recovery'));
  const without = await opened(desk, url, (page) => page.route('**/client/user-authenticators', async (route) => {
    const response = await route.fetch();
    return route.fulfill({ response, json: { ...await response.json(), recoveryCodesLeft: 0 } });
  }));
  await turned(without, 'screen.lost.title', 'screen.lost.none');
  assert.ok(await without.isHidden('#recovery'));
  for (const page of [withCodes, without]) await page.close();
});

for (const locale of ['de-AT', 'fr-CA', 'es-MX', 'ja-JP', 'ar-EG']) {
  test(`${locale}: a browser that wishes it gets it, on the screen and on the phone`, async () => {
    const user = await somebody();
    const code = locale.split('-')[0];
    const own = await openBrowser({ locale });
    try {
      const screen = await opened(own, (await withdrawal(demo, user)).url);
      await says(screen, 'status', textOf(code, 'screen.waiting'));
      assert.equal(await screen.title(), textOf(code, 'page.challenge'));
      assert.equal(await screen.getAttribute('#code', 'alt'), textOf(code, 'screen.code'));
      await everyLanguage(screen, { title: 'screen.title', status: 'screen.waiting', lead: 'screen.lead', here: 'screen.here', lost: 'screen.lost' });
      await screen.click('#lost');
      await everyLanguage(screen, { 'recovery-confirm': 'recovery.confirm', 'recovery-enrol': 'recovery.enrol' });
      const phone = await opened(own, '/authenticator');
      await everyLanguage(phone, { 'start-scan-empty': 'empty.scan' });
    } finally {
      await own.close();
    }
    const { screen, link } = await shown(await withdrawal(demo, user));
    const phone = await opened(pocket, link);
    await phone.waitForSelector('#request:not([hidden])');
    await everyLanguage(phone, { 'request-title': 'request.title' }, { action: 'withdrawal' });
    await phone.close();
    await screen.close();
  });
}

test('the phone can be installed: the browser has nothing against it', async () => {
  const phone = await opened(pocket, '/authenticator');
  const address = await phone.evaluate(() => document.querySelector('link[rel=manifest]').href);
  const answer = await fetch(address);
  assert.equal(answer.headers.get('content-type'), 'application/manifest+json');
  const manifest = await answer.json();
  assert.equal(manifest.display, 'standalone');
  const scope = new URL(manifest.scope, address).href;
  assert.ok(new URL(manifest.start_url, address).href.startsWith(scope));
  const scopes = await phone.evaluate(async () => {
    await navigator.serviceWorker.ready;
    return (await navigator.serviceWorker.getRegistrations()).map((registration) => registration.scope);
  });
  assert.ok(scopes.includes(scope), scopes.join(' '));
  const sizes = await phone.evaluate((icons) => Promise.all(icons.map(async (icon) => {
    const { width, height } = await createImageBitmap(await (await fetch(icon)).blob());
    return `${width}x${height}`;
  })), manifest.icons.map(({ src }) => src));
  assert.deepEqual(sizes, manifest.icons.map((icon) => icon.sizes));
  assert.ok(sizes.includes('192x192') && sizes.includes('512x512'));

  const browser = await pocket.newCDPSession(phone);
  const { errors } = await browser.send('Page.getAppManifest');
  assert.deepEqual(errors, []);
  const { installabilityErrors } = await browser.send('Page.getInstallabilityErrors');
  assert.deepEqual(installabilityErrors, []);
  await phone.close();
});
