// The demo plays three parts: an application with its backend, a kiosk, and the desk where a phone is enrolled.

import { facts, fill, find, make } from './lib/dom.js';
import { call, claims, live } from './lib/wire.js';

const config = await call('GET', '/demo/config');
find('about').textContent = `Pack ${config.pack} · geo data of ${config.geoDate} · everything stays on this machine`;
fill(find('place'), ...config.places.map(({ ip, label }) => make('option', { value: ip }, `${label} (${ip})`)));

// ---- tabs: one panel at a time, arrow keys as in any tab list
const tabs = [...document.querySelectorAll('[role=tab]')];
function select(tab) {
  for (const other of tabs) {
    other.setAttribute('aria-selected', String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    find(other.getAttribute('aria-controls')).hidden = other !== tab;
  }
  tab.focus();
  if (tab.id === 'tab-kiosk') startKiosk();
  else stopKiosk();
}
for (const [place, tab] of tabs.entries()) {
  tab.onclick = () => select(tab);
  tab.onkeydown = ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step) select(tabs[(place + step + tabs.length) % tabs.length]);
  };
}

// ---- the application
const only = () => {
  for (const part of document.querySelectorAll('[data-for]')) part.hidden = part.dataset.for !== find('action').value;
};
find('action').onchange = only;
only();

let screen;
const WORDS = { allow: 'Allowed', challenge: 'Needs a confirmation', block: 'Blocked' };

function request() {
  const value = (id) => find(id).value.trim();
  const custom = {
    withdrawal: () => ({ amount: { value: value('amount'), currency: value('currency').toUpperCase() }, payee: value('payee') }),
    sign_in: () => ({ outcome: value('outcome') }),
    card_add: () => ({ card_fingerprint: value('card'), ...(value('bin') ? { bin_country: value('bin').toUpperCase() } : {}) }),
  }[value('action')]?.() ?? {};
  return { userId: value('user'), action: value('action'), ipAddress: value('place'), deviceId: value('device'), userAgent: navigator.userAgent, custom };
}

find('request').onsubmit = async (event) => {
  event.preventDefault();
  screen?.close();
  find('challenge').hidden = find('why').hidden = true;
  find('go').disabled = true;
  try {
    const sent = request();
    const answer = await call('POST', '/demo/track', { body: sent });
    decision(answer);
    if (answer.state === 'CHALLENGE_REQUIRED') follow(answer, sent);
  } catch (error) {
    fill(find('decision'), make('h2', {}, 'Refused'), make('p', { class: 'verdict error' }, error.message));
  } finally {
    find('go').disabled = false;
  }
};

function decision(answer) {
  const outcome = answer.outcome;
  const reasons = (answer.reasons ?? []).map(({ code, text }) => make('li', {}, text, ' ', make('code', {}, code)));
  fill(find('decision'), make('h2', {}, 'Decision'),
    make('p', { class: `verdict ${outcome}`, id: 'verdict' }, WORDS[outcome] ?? outcome),
    reasons.length ? make('ul', { class: 'plain' }, ...reasons) : make('p', { class: 'quiet' }, 'No rule objected: the default of the policy.'),
    facts([['Decision', make('code', {}, answer.decisionId)], ['Flags', (answer.flags ?? []).join(', ')]]));
  why(answer.trace);
}

function why(trace) {
  if (!trace) return;
  const atom = ({ text, result, reads }) => make('li', {}, make('code', {}, text), ' → ', make('strong', {}, String(result)),
    reads?.length ? make('small', {}, make('br'), reads.map(({ what, value }) => `${what} = ${value}`).join(' · ')) : null);
  const rule = ({ rule: name, description, state, atoms }) => make('li', {}, make('details', {},
    make('summary', {}, `${name} `, make('span', { class: `tag ${state}` }, state.replaceAll('_', ' '))),
    description ? make('p', { class: 'quiet' }, description) : null,
    make('ul', { class: 'plain' }, ...(atoms ?? []).map(atom))));
  const rules = (trace.policies ?? []).flatMap((policy) => policy.rules ?? []);
  fill(find('why'), make('h2', {}, 'Why'), make('ul', { class: 'plain' }, ...rules.map(rule)));
  find('why').hidden = rules.length === 0;
}

function step(name) {
  const steps = [...find('steps').children];
  const place = steps.findIndex((item) => item.dataset.step === name);
  for (const [index, item] of steps.entries()) {
    item.classList.toggle('done', index < place || name === 'validated');
    if (index === place) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
}

function follow(answer, sent) {
  const picture = document.querySelector('#challenge .qr');
  let shown;
  screen = live({ token: answer.token, action: sent.action }, {
    created({ challengeId }) {
      shown = challengeId;
      find('challenge').hidden = false;
      picture.hidden = false;
      picture.classList.remove('dimmed');
      find('code').src = `/qr/${challengeId}.svg`;
      find('open-phone').href = `/authenticator#c=${challengeId}`;
      find('open-phone').hidden = false;
      find('live').textContent = answer.isEnrolled ? 'Waiting for the phone.' : `${sent.userId} has no phone yet: enrol one first (tab “Enrol a phone”), then scan.`;
      step('waiting');
    },
    code(digits, data) {
      if (data.challengeId === shown) find('live').textContent = `The phone asks for a number: ${digits}.`;
    },
    async state(state, accessToken, data) {
      if (data?.challengeId && data.challengeId !== shown) return;
      if (state === 'claimed') {
        picture.classList.add('dimmed');
        find('open-phone').hidden = true;
        find('live').textContent = 'The phone shows the request.';
        return step('claimed');
      }
      picture.hidden = true;
      find('open-phone').hidden = true;
      if (state !== 'approved') {
        find('live').textContent = state === 'rejected' ? 'Rejected on the phone. Nothing happens.' : 'Too late: the code has expired.';
        outcome(state === 'rejected' ? 'rejected' : 'expired', state === 'rejected' ? 'Rejected' : 'Expired');
        return;
      }
      step('approved');
      find('live').textContent = 'Confirmed. The backend validates the token…';
      const valid = await call('POST', '/demo/validate', { body: { token: accessToken, action: sent.action, userId: sent.userId } });
      if (valid.isValid) {
        step('validated');
        find('live').textContent = `Done: ${valid.state}. The token cannot be used a second time.`;
        outcome('approved', 'Confirmed');
      } else find('live').textContent = valid.error ?? 'The token is not valid.';
    },
    error: (error) => { find('challenge').hidden = false; find('live').textContent = error.message; },
  });
}

function outcome(kind, text) {
  const verdict = find('verdict');
  if (verdict) {
    verdict.className = `verdict ${kind}`;
    verdict.textContent = text;
  }
}

// ---- the kiosk: nobody is signed in, whoever scans is the user
let kiosk;
function startKiosk() {
  kiosk?.close();
  let shown;
  find('kiosk-title').textContent = 'Welcome. Scan to sign in.';
  find('kiosk-qr').hidden = false;
  kiosk = live({ tenant: config.tenantId, action: 'kiosk_login', custom: { till: '7' } }, {
    created({ challengeId }) {
      shown = challengeId;
      find('kiosk-code').src = `/qr/${challengeId}.svg`;
      find('kiosk-qr').classList.remove('dimmed');
      find('kiosk-open').href = `/authenticator#c=${challengeId}`;
      find('kiosk-open').hidden = false;
      find('kiosk-live').textContent = 'Waiting for a phone.';
    },
    code(digits, data) {
      if (data.challengeId === shown) find('kiosk-live').textContent = `Type this number on your phone: ${digits}.`;
    },
    async state(state, accessToken, data) {
      if (data?.challengeId && data.challengeId !== shown) return;
      find('kiosk-open').hidden = true;
      if (state === 'claimed') {
        find('kiosk-qr').classList.add('dimmed');
        find('kiosk-live').textContent = 'Answer on your phone.';
      } else if (state === 'approved') {
        const valid = await call('POST', '/demo/validate', { body: { token: accessToken, action: 'kiosk_login' } });
        find('kiosk-qr').hidden = true;
        find('kiosk-title').textContent = valid.isValid ? `Hello, ${valid.userId}.` : 'That did not work.';
        find('kiosk-live').textContent = valid.isValid ? 'You are signed in at this kiosk.' : valid.error ?? '';
      } else {
        find('kiosk-qr').hidden = true;
        find('kiosk-live').textContent = state === 'rejected' ? 'Rejected on the phone.' : 'The code has expired.';
      }
    },
    error: (error) => { find('kiosk-live').textContent = error.message; },
  });
}
function stopKiosk() {
  kiosk?.close();
  kiosk = undefined;
}
find('kiosk-again').onclick = startKiosk;

// ---- enrolling a phone
find('enrol').onsubmit = async (event) => {
  event.preventDefault();
  const userId = find('enrol-user').value.trim();
  try {
    const { token, url, confirmUrl } = await call('POST', '/demo/enrol', { body: { userId } });
    find('enrol-first').hidden = !confirmUrl;
    if (confirmUrl) find('enrol-confirm').href = confirmUrl;
    find('enrol-code').src = `/demo/enrol.svg?token=${encodeURIComponent(token)}`;
    find('enrol-open').href = url;
    find('enrol-link').hidden = false;
    find('enrol-state').textContent = `The link is valid until ${new Date(claims(token).exp * 1000).toLocaleTimeString()}.`;
    watch(userId);
  } catch (error) {
    find('enrol-state').textContent = error.message;
  }
};

let watching;
async function watch(userId) {
  clearInterval(watching);
  const before = (await call('GET', `/demo/phones?userId=${encodeURIComponent(userId)}`)).phones.length;
  watching = setInterval(async () => {
    // A connection that is lost for a moment is asked for again.
    const { phones } = await call('GET', `/demo/phones?userId=${encodeURIComponent(userId)}`).catch(() => ({ phones: [] }));
    if (phones.length > before) {
      clearInterval(watching);
      find('enrol-link').hidden = true;
      find('enrol-state').textContent = `${phones.at(-1).name} is enrolled for ${userId}.`;
    }
  }, 1500);
}
document.documentElement.dataset.ready = 'true';
