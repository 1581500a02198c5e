// The hosted page that `track` returns as `url`: walks an unenrolled person through enrolment, shows the code, follows its
// life, returns to the application.

import { toBase64, bytesOf } from './lib/bytes.js';
import { ask, now } from './lib/clock.js';
import { find } from './lib/dom.js';
import { start, text } from './lib/text.js';
import { call, claims, live } from './lib/wire.js';

const token = new URLSearchParams(location.search).get('token') ?? '';
let shown;
let expiresAt;
let steps = [];
let drawn = '';
let ticking;
let screen;
let redirect;

// What stands on the page, by the names of its texts, so that another language can say it again.
let said = ['screen.title', 'screen.connecting'];
function say(title, status) {
  said = [title, status];
  find('title').textContent = text(title);
  find('status').textContent = text(status);
}

/** Shows or hides what belongs to a code that can be scanned. */
function scannable(yes) {
  for (const id of ['lead', 'here']) find(id).hidden = !yes;
  find('qr').classList.toggle('dimmed', !yes);
}

function retire(title, status, again = true) {
  clearInterval(ticking);
  find('countdown').textContent = '';
  scannable(false);
  find('qr').hidden = true;
  find('again').hidden = !again;
  say(title, status);
  find('title').focus();
}

/** Draws the step of the rolling code whose time it is. The plain link is for the person who is on the phone already. */
async function draw() {
  const current = steps.filter(({ from }) => Date.parse(from) <= now()).at(-1) ?? steps[0];
  const name = current ? current.url.split('/').at(-1) : shown;
  if (!name || name === drawn) return;
  drawn = name;
  const next = new Image();
  next.src = `/qr/${name}.svg`;
  // Until the new picture is there the old one stays: it is good for one more step.
  await next.decode().catch(() => {});
  if (name === drawn) find('code').src = next.src;
}

function tick() {
  const left = Math.max(0, Math.round((Date.parse(expiresAt) - now()) / 1000));
  find('countdown').textContent = left > 0 ? text('screen.valid', { time: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` }) : '';
  if (left === 0) return retire('screen.expired.title', 'screen.expired.text');
  return draw();
}

const on = {
  created(made) {
    shown = made.challengeId;
    expiresAt = made.expiresAt;
    steps = made.qr?.steps ?? [];
    drawn = '';
    find('qr').hidden = false;
    find('again').hidden = true;
    find('here').href = `/authenticator#c=${shown}`;
    find('code').alt = text('screen.code');
    scannable(true);
    say('screen.title', 'screen.waiting');
    clearInterval(ticking);
    ticking = setInterval(tick, 1000);
    tick();
  },
  steps(qr) {
    if (qr.challengeId === undefined || qr.challengeId === shown) steps = qr.qr?.steps ?? qr.steps ?? steps;
  },
  state(state, accessToken, data) {
    if (data?.challengeId && data.challengeId !== shown) return;
    if (state === 'claimed') {
      scannable(false);
      say('screen.title', 'screen.claimed');
    } else if (state === 'approved') {
      retire('screen.approved.title', redirect ? 'screen.back' : 'screen.approved.text', false);
      goBack(accessToken);
    } else if (state === 'rejected') retire('screen.rejected.title', 'screen.rejected.text');
    else if (state === 'superseded') retire('screen.superseded.title', 'screen.superseded.text');
    else retire('screen.expired.title', 'screen.expired.text');
  },
  fallback() {
    say('screen.title', 'screen.reconnecting');
  },
  error: refused,
};

function refused(error) {
  if (error instanceof TypeError) retire('screen.offline.title', 'screen.offline.text');
  else retire('screen.refused.title', 'screen.refused.text', false);
}

/** Where the application wanted the person back: the server put it into the token after checking it. */
function goBack(accessToken) {
  if (!redirect) return;
  const address = new URL(redirect);
  address.searchParams.set('token', accessToken);
  setTimeout(() => location.assign(address), 600);
}

/** Without a phone nobody can answer: the code that enrols one comes first, and the page goes on when there is one. */
async function enrolled() {
  const known = async () => (await call('GET', '/v1/client/user-authenticators', { bearer: token })).userAuthenticators.length > 0;
  if (await known()) return;
  const picture = await fetch('/qr/enrolment', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ token }) });
  if (!picture.ok) throw new Error('refused');
  find('code').src = `data:image/svg+xml;base64,${toBase64(bytesOf(await picture.text()))}`;
  find('code').alt = text('screen.enrol.code');
  find('qr').hidden = false;
  find('here').href = `/authenticator#enrol=${token}`;
  find('here').hidden = false;
  say('screen.enrol.title', 'screen.enrol.text');
  for (;;) {
    await new Promise((done) => setTimeout(done, 2000));
    // A connection that is lost for a moment is no end; a refusal is.
    if (await known().catch((error) => { if (error instanceof TypeError) return false; throw error; })) return;
  }
}

async function open() {
  find('again').hidden = true;
  try {
    const other = claims(token).other ?? {};
    redirect = other.redirectUrl;
    await Promise.all([ask(), enrolled()]);
    if (screen) screen.refresh();
    else screen = live({ token, action: other.actionCode, rolling: true }, on);
  } catch (error) {
    refused(error);
  }
}

await start('page.challenge', () => {
  say(...said);
  find('code').alt = text(said[0] === 'screen.enrol.title' ? 'screen.enrol.code' : 'screen.code');
});
say(...said);
find('again').addEventListener('click', open);
open();
