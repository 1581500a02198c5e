// The hosted page that `track` returns as `url`: walks an unenrolled person through enrolment, shows the code, follows its
// life, takes a recovery code from a person whose phone is gone, returns to the application.

import { toBase64, bytesOf } from './lib/bytes.js';
import { ask, BLUR, now } from './lib/clock.js';
import { find } from './lib/dom.js';
import { start, text } from './lib/text.js';
import { call, claims, live, Refused } from './lib/wire.js';

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
function say(title, status, values = {}) {
  said = [title, status, values];
  find('title').textContent = text(title);
  find('status').textContent = text(status, values);
}

/** Shows or hides what belongs to a code that can be scanned. */
function scannable(yes) {
  for (const id of ['lead', 'here']) find(id).hidden = !yes;
  find('qr').classList.toggle('dimmed', !yes);
}

function retire(title, status, again = true, values = {}) {
  clearInterval(ticking);
  find('countdown').textContent = '';
  find('digits').textContent = '';
  scannable(false);
  find('qr').hidden = true;
  find('again').hidden = !again;
  find('lost').hidden = true;
  find('recovery').hidden = true;
  say(title, status, values);
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
  // Not a moment early: what is scanned in the last second still counts.
  const left = Math.max(0, Math.ceil((Date.parse(expiresAt) - now() + BLUR) / 1000));
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
    find('digits').textContent = '';
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
  code(digits, data) {
    // A poll says it again and again, a screen reader should not.
    if (data.challengeId !== shown || find('digits').textContent === digits) return;
    find('qr').hidden = true;
    find('digits').textContent = digits;
    say('screen.title', 'screen.match');
  },
  fallback() {
    say('screen.title', 'screen.reconnecting');
  },
  error: refused,
};

function refused(error) {
  if (error instanceof TypeError) retire('screen.offline.title', 'screen.offline.text');
  else if (error.code === 'too_many_requests') retire('screen.busy.title', 'screen.busy.text');
  else retire('screen.refused.title', 'screen.refused.text', false);
}

/** Where the application wanted the person back: the server put it into the token after checking it. */
function goBack(accessToken) {
  if (!redirect) return;
  const address = new URL(redirect);
  address.searchParams.set('token', accessToken);
  setTimeout(() => location.assign(address), 600);
}

/** Which phones the person has, and what can be done about a lost one. */
const phones = () => call('GET', '/v1/client/user-authenticators', { bearer: token });

/** Shows the code that enrols a phone with the right of `bearer`. */
async function showEnrolment(bearer) {
  const picture = await fetch('/qr/enrolment', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ token: bearer }) });
  if (!picture.ok) throw new Error('refused');
  find('code').src = `data:image/svg+xml;base64,${toBase64(bytesOf(await picture.text()))}`;
  find('code').alt = text('screen.enrol.code');
  find('qr').hidden = false;
  find('qr').classList.remove('dimmed');
  find('here').href = `/authenticator#enrol=${bearer}`;
  find('here').hidden = false;
  say('screen.enrol.title', 'screen.enrol.text');
}

/** Waits for a phone that is none of `before`. What was begun later makes an earlier waiting end without one. */
async function newPhone(before) {
  const round = (waiting += 1);
  for (;;) {
    await new Promise((done) => setTimeout(done, 2000));
    if (round !== waiting) return false;
    try {
      const { userAuthenticators: now } = await phones();
      if (round !== waiting) return false;
      if (now.some(({ userAuthenticatorId: id }) => !before.includes(id))) return true;
    } catch (error) {
      // A connection that is lost for a moment is no end; a refusal is.
      if (!(error instanceof TypeError)) throw error;
    }
  }
}
let waiting = 0;

/** Without a phone nobody can answer: one is enrolled first, by whoever may, and the page goes on when there is one. */
async function enrolled() {
  const { userAuthenticators, recoveryCodesLeft, mayEnrol } = await phones();
  find('lost').hidden = recoveryCodesLeft === 0;
  if (userAuthenticators.length > 0) return true;
  if (mayEnrol) await showEnrolment(token);
  else {
    say('screen.lost.title', recoveryCodesLeft > 0 ? 'screen.lost.text' : 'screen.lost.none');
    offerRecovery(recoveryCodesLeft > 0);
  }
  return newPhone([]);
}

function offerRecovery(yes) {
  find('recovery').hidden = !yes;
  find('lost').setAttribute('aria-expanded', String(yes));
  if (yes) find('recovery-code').focus();
}

/** Why a code was not taken, in words. */
const PROBLEMS = {
  invalid_recovery_code: 'recovery.wrong',
  too_many_requests: 'recovery.wait',
  recovery_not_enough: 'recovery.phone',
  action_blocked: 'recovery.blocked',
};
let problem = '';
function complain(key) {
  problem = key;
  find('recovery-problem').textContent = key && text(key);
  find('recovery-code').setAttribute('aria-invalid', String(key !== ''));
}

/** The code confirms this request, or enrols a phone that then does. */
async function recover(purpose) {
  complain('');
  const buttons = ['recovery-confirm', 'recovery-enrol'].map(find);
  for (const button of buttons) button.disabled = true;
  try {
    const { userAuthenticators: before } = await phones();
    const answer = await call('POST', '/v1/client/verify/recovery-code', { bearer: token, body: { verificationCode: find('recovery-code').value, purpose } });
    // What the socket says of the code on show does not matter any more.
    screen?.close();
    screen = undefined;
    waiting += 1;
    find('recovery-code').value = '';
    if (purpose === 'approval') {
      retire('screen.approved.title', 'screen.recovered', false, { count: answer.recoveryCodesLeft });
      return goBack(answer.accessToken);
    }
    retire('screen.enrol.title', 'screen.enrol.text', false);
    await showEnrolment(answer.enrolmentToken);
    if (await newPhone(before.map(({ userAuthenticatorId: id }) => id))) await open();
  } catch (error) {
    if (error instanceof TypeError) complain('recovery.offline');
    else if (error instanceof Refused) complain(PROBLEMS[error.code] ?? 'recovery.other');
    else refused(error);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

async function open() {
  find('again').hidden = true;
  try {
    const other = claims(token).other ?? {};
    redirect = other.redirectUrl;
    const [, goOn] = await Promise.all([ask(), enrolled()]);
    if (!goOn) return;
    if (!find('recovery').hidden) offerRecovery(false);
    if (screen) screen.refresh();
    else screen = live({ token, action: other.actionCode, rolling: true }, on);
  } catch (error) {
    refused(error);
  }
}

await start('page.challenge', () => {
  say(...said);
  find('code').alt = text(said[0] === 'screen.enrol.title' ? 'screen.enrol.code' : 'screen.code');
  complain(problem);
});
say(...said);
find('again').addEventListener('click', open);
find('lost').addEventListener('click', () => offerRecovery(find('recovery').hidden));
find('recovery').addEventListener('submit', (event) => {
  event.preventDefault();
  recover(event.submitter?.value ?? 'approval');
});
open();
