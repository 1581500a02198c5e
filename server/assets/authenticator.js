// The phone: holds the key, scans, shows what is asked, signs the answer.

import { clock, facts, fill, find, make, show } from './lib/dom.js';
import { credentials, forget } from './lib/key.js';
import { claim, decide, enrol, scanned } from './lib/phone.js';
import { scan } from './lib/scan.js';
import { claims, Refused } from './lib/wire.js';

let stopCamera = () => {};
let current;

/** Every refusal has its own honest words. */
const REFUSALS = {
  challenge_expired: ['Too late', 'The request has expired. Nothing was confirmed.'],
  challenge_already_claimed: ['Somebody was faster', 'Another phone has already taken this request. If that was not you, tell your service.'],
  challenge_not_found: ['Unknown code', 'This code belongs to no open request.'],
  wrong_user: ['Not for you', 'This request is for another person.'],
  unknown_credential: ['This phone is not enrolled', 'The service does not know this phone any more. Enrol it again.'],
  credential_revoked: ['This phone was removed', 'The service does not accept this phone any more. Enrol it again.'],
};

function refuse(error) {
  const network = error instanceof TypeError;
  const [title, text] = REFUSALS[error.code] ?? (network ? ['No connection', 'Nothing was sent. Try again when you are online.'] : ['That did not work', error.message]);
  finish(title, text);
}

function finish(title, text) {
  find('done-title').textContent = title;
  find('done-text').textContent = text;
  show(find('done'));
}

async function home() {
  stopCamera();
  history.replaceState(null, '', location.pathname);
  const known = await credentials();
  if (known.length === 0) return show(find('empty'));
  find('who').textContent = known.length === 1 ? `Confirms requests for ${known[0].user}.` : `Confirms requests for ${known.length} accounts.`;
  fill(find('accounts'), make('h2', {}, 'Accounts'), make('ul', { class: 'plain' }, ...known.map((credential) => make('li', {},
    make('strong', {}, credential.user), make('br'), make('small', {}, `${credential.name}, since ${new Date(credential.since).toLocaleDateString()} `),
    make('button', { class: 'second', onclick: async () => { await forget(credential.id); home(); } }, 'Forget')))));
  show(find('home'));
}

async function startScan() {
  find('camera-note').textContent = '';
  show(find('camera'));
  try {
    stopCamera = await scan(find('video'), handle);
  } catch (error) {
    find('camera-note').textContent = error.name === 'NotAllowedError'
      ? 'The camera is not allowed for this page. Allow it in the settings of the browser, or open the link beside the code on this phone.'
      : 'No camera was found. Open the link beside the code on this phone.';
  }
}

function handle(text) {
  const what = scanned(text);
  if (!what) return finish('Not one of ours', 'This code does not come from this service. Nothing was opened.');
  return what.enrol ? offerEnrolment(what.enrol) : take(what.challenge);
}

function offerEnrolment(token) {
  let user;
  try {
    user = claims(token).sub;
  } catch {
    return finish('This link does not work', 'The enrolment link is damaged. Ask your service for a new one.');
  }
  find('enrol-user').textContent = user;
  find('device-name').value = /Android|iPhone|iPad/.exec(navigator.userAgent)?.[0] ?? 'This browser';
  find('do-enrol').onclick = async () => {
    find('do-enrol').disabled = true;
    try {
      const credential = await enrol(token, find('device-name').value.trim() || 'Phone');
      finish('Enrolled', `This phone now confirms requests for ${credential.user}.`);
    } catch (error) {
      refuse(error);
    } finally {
      find('do-enrol').disabled = false;
    }
  };
  show(find('enrol'));
}

async function take(challenge) {
  const known = await credentials();
  if (known.length === 0) return show(find('empty'));
  let last;
  // A phone with several accounts tries each: a refused claim changes nothing.
  for (const credential of known) {
    try {
      current = { credential, claimed: await claim(credential, challenge) };
      return present();
    } catch (error) {
      last = error;
      if (!(error instanceof Refused) || error.code !== 'wrong_user') break;
    }
  }
  return refuse(last);
}

const place = ({ city, region, country }) => [city, region, country && (new Intl.DisplayNames([navigator.language], { type: 'region' }).of(country) ?? country)].filter(Boolean).join(', ');

function present() {
  const { credential, claimed: { context, needsCode } } = current;
  find('request-title').textContent = `Approve “${context.action}”?`;
  find('request-user').textContent = `Account: ${context.user ?? credential.user}`;
  const rows = (details) => details.map(({ field, value }) => [field, value]);
  const bound = context.bind ?? [];
  const extra = (context.show ?? []).filter(({ field }) => !bound.some((other) => other.field === field));
  fill(find('bound'), bound.length ? facts(rows(bound), 'bound') : null, extra.length ? facts(rows(extra)) : null);
  fill(find('origin'), facts([
    ['Address', context.origin.ip],
    ['Place', place(context.origin) || 'not known'],
    ['Device', context.origin.device ?? context.origin.userAgent],
    ['Time', clock(context.createdAt)],
  ]));
  const custom = Object.entries(context.custom ?? {}).filter(([name]) => !bound.some(({ field }) => field === name));
  fill(find('custom'), custom.length ? make('h2', {}, 'Details') : null, custom.length ? facts(custom) : null);
  find('mixed').hidden = !(context.mixedScript?.length > 0);
  find('code-row').hidden = !needsCode;
  find('until').textContent = `Answer before ${clock(context.expiresAt)}. If you did not start this, reject it.`;
  show(find('request'));
}

async function answer(approved) {
  for (const id of ['approve', 'reject']) find(id).disabled = true;
  try {
    await decide(current.credential, current.claimed, approved, find('match-code').value.trim());
    finish(approved ? 'Approved' : 'Rejected', approved ? 'The screen goes on by itself.' : 'Nothing happens on the screen.');
  } catch (error) {
    refuse(error);
  } finally {
    for (const id of ['approve', 'reject']) find(id).disabled = false;
  }
}

find('start-scan').onclick = startScan;
find('start-scan-empty').onclick = startScan;
find('stop-scan').onclick = home;
find('done-home').onclick = home;
find('approve').onclick = () => answer(true);
find('reject').onclick = () => answer(false);

const open = () => (location.hash.length > 1 ? handle(location.href) : home());
addEventListener('hashchange', () => location.hash.length > 1 && open());
open();
