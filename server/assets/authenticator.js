// The phone: holds the key, scans, shows what is asked, signs the answer.

import { ask, skew } from './lib/clock.js';
import { clock, facts, fill, find, make, show } from './lib/dom.js';
import { credentials, forget, keep } from './lib/key.js';
import { claim, decide, enrol, scanned } from './lib/phone.js';
import { scan } from './lib/scan.js';
import { hasText, language, start, text } from './lib/text.js';
import { claims, Refused } from './lib/wire.js';

let stopCamera = () => {};
let current;
/** Says again what is on the screen, in another language. */
let again = () => {};

function shows(draw) {
  again = draw;
  draw();
}

/**
 * A screen that says how something ended. `retry` is what the person, and nobody else, may start once more; `codes` are recovery
 * codes, which are kept nowhere and shown only here.
 */
function finish(titleKey, textKey, values = {}, retry = undefined, codes = []) {
  shows(() => {
    find('codes').hidden = codes.length === 0;
    fill(find('code-list'), ...codes.map((code) => make('li', {}, code)));
    find('copied').textContent = '';
    find('copy-codes').onclick = () => navigator.clipboard.writeText(codes.join('\n')).then(() => { find('copied').textContent = text('codes.copied'); });
    find('done-home').textContent = codes.length > 0 ? text('codes.done') : text('common.done');
    find('done-title').textContent = text(titleKey, values);
    find('done-text').textContent = text(textKey, values);
    find('retry').hidden = !retry;
    find('retry').onclick = retry;
    show(find('done'));
  });
}

/** Every refusal has its own honest words; a request that did not get through is sent again only by the person. */
function refuse(error, lost, retry) {
  if (error instanceof TypeError) return finish('offline.title', lost, {}, retry);
  const code = error.code ?? 'unknown';
  if (code === 'wrong_code' && error.attemptsLeft === 0) return finish('refused.wrong_code.title', 'refused.wrong_code.last');
  if (hasText(`refused.${code}.title`)) return finish(`refused.${code}.title`, `refused.${code}.text`, {}, code === 'wrong_code' ? present : undefined);
  return finish('refused.other.title', 'refused.other.text', { code });
}

async function home() {
  stopCamera();
  // Recovery codes that were shown are nowhere from now on.
  fill(find('code-list'));
  history.replaceState(null, '', '/authenticator');
  const known = await credentials();
  if (known.length === 0) return shows(() => show(find('empty')));
  return shows(() => {
    find('who').textContent = known.length === 1 ? text('home.who', { user: known[0].user }) : text('home.many', { count: known.length });
    find('offline').hidden = navigator.onLine;
    fill(find('accounts'), make('h2', {}, text('home.accounts')), make('ul', { class: 'plain' }, ...known.map((credential) => make('li', {},
      make('strong', {}, make('bdi', {}, credential.user)), make('br'),
      make('small', {}, text('home.since', { name: credential.name, date: new Date(credential.since).toLocaleDateString(language()) })), ' ',
      make('button', { class: 'second', onclick: async () => { await forget(credential.id); home(); } }, text('home.forget', { user: credential.user }))))));
    show(find('home'));
  });
}

async function startScan() {
  shows(() => show(find('camera')));
  try {
    stopCamera = await scan(find('video'), handle);
  } catch (error) {
    if (error.name === 'NotAllowedError') finish('camera.denied.title', 'camera.denied.text', {}, startScan);
    else finish('camera.none.title', 'camera.none.text', {}, startScan);
  }
}

async function handle(scan) {
  const what = await scanned(scan, await credentials());
  if (what === undefined || what.fault === 'foreign') return finish('refused.foreign.title', 'refused.foreign.text');
  if (what.fault === 'expired') return expired();
  return what.enrol ? offerEnrolment(what.enrol) : take(what);
}

/** Too late by this phone's clock, which may be the one that is wrong. */
async function expired() {
  await ask();
  const minutes = Math.round(Math.abs(skew()) / 60_000);
  if (minutes > 0) return finish('clock.title', 'clock.text', { minutes });
  return finish('refused.challenge_expired.title', 'refused.challenge_expired.text');
}

function offerEnrolment(token) {
  let user;
  try {
    user = claims(token).sub;
  } catch {
    return finish('refused.link.title', 'refused.link.text');
  }
  find('device-name').value = /Android|iPhone|iPad/.exec(navigator.userAgent)?.[0] ?? text('enrol.browser');
  find('do-enrol').onclick = () => sendEnrolment(token);
  return shows(() => {
    find('enrol-user').textContent = text('enrol.text', { user });
    show(find('enrol'));
  });
}

async function sendEnrolment(token) {
  find('do-enrol').disabled = true;
  try {
    const { credential, recoveryCodes } = await enrol(token, find('device-name').value.trim() || 'Phone');
    finish('enrol.done.title', 'enrol.done.text', { user: credential.user }, undefined, recoveryCodes);
  } catch (error) {
    if (['expired_token', 'invalid_token'].includes(error.code)) finish('refused.link.title', 'refused.link.text');
    else refuse(error, 'offline.enrol', () => sendEnrolment(token));
  } finally {
    find('do-enrol').disabled = false;
  }
}

async function take(what) {
  const known = await credentials();
  if (known.length === 0) return shows(() => show(find('empty')));
  let last;
  // A phone with several accounts tries each, the likeliest first: a refused claim changes nothing, but the service allows few.
  for (const credential of known) {
    try {
      current = { credential, claimed: await claim(credential, what) };
      await keep({ ...credential, used: new Date().toISOString() });
      find('match-code').value = '';
      return present();
    } catch (error) {
      last = error;
      if (!(error instanceof Refused) || error.code !== 'wrong_user') break;
    }
  }
  return refuse(last, 'offline.claim', () => take(what));
}

function place({ city, region, country }) {
  const name = country && (new Intl.DisplayNames([language()], { type: 'region' }).of(country) ?? country);
  return [city, region, name].filter(Boolean).join(', ');
}

/** A phone and when it came. Its name is what its owner, or a thief, made of it: isolated, it turns no other text around. */
function added({ deviceName, devicePlatform, addedAt }) {
  const day = new Date(addedAt).toLocaleString(language(), { dateStyle: 'medium', timeStyle: 'short' });
  return `\u2068${deviceName || devicePlatform}\u2069 (${day})`;
}

function present() {
  const { credential, claimed: { context, needsCode, phonesAdded } } = current;
  const rows = (details) => details.map(({ field, value }) => [field, value]);
  const bound = context.bind ?? [];
  const extra = (context.show ?? []).filter(({ field }) => !bound.some((other) => other.field === field));
  const custom = Object.entries(context.custom ?? {}).filter(([name]) => !bound.some(({ field }) => field === name));
  shows(() => {
    find('request-title').textContent = text('request.title', { action: context.action });
    find('request-user').textContent = text('request.user', { user: context.user ?? credential.user });
    const { terminal } = context.origin;
    find('request-terminal').hidden = !terminal;
    find('request-terminal').textContent = terminal ? text('request.terminal', { name: `\u2068${terminal.name}\u2069` }) : '';
    fill(find('bound'), bound.length ? facts(rows(bound), 'bound') : null, extra.length ? facts(rows(extra)) : null);
    fill(find('origin'), facts([
      [text('request.address'), context.origin.ip],
      [text('request.place'), place(context.origin) || text('request.unknown')],
      [text('request.device'), context.origin.device ?? context.origin.userAgent],
      [text('request.time'), clock(context.createdAt)],
    ]));
    fill(find('custom'), custom.length ? make('h2', {}, text('request.details')) : null, custom.length ? facts(custom) : null);
    find('mixed').hidden = !(context.mixedScript?.length > 0);
    find('added').hidden = phonesAdded.length === 0;
    find('added').textContent = text('request.added', { phones: phonesAdded.map(added).join(', ') });
    find('code-row').hidden = !needsCode;
    find('until').textContent = text('request.until', { time: clock(context.expiresAt) });
    show(find('request'));
  });
}

async function answer(approved) {
  for (const id of ['approve', 'reject']) find(id).disabled = true;
  try {
    await decide(current.credential, current.claimed, approved, find('match-code').value.trim());
    if (approved) finish('request.approved.title', 'request.approved.text');
    else finish('request.rejected.title', 'request.rejected.text');
  } catch (error) {
    if (error.code === 'wrong_code') find('match-code').value = '';
    refuse(error, 'offline.answer', () => answer(approved));
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

const open = () => (location.hash.length > 1 || location.pathname.startsWith('/q/') ? handle(location.href) : home());
for (const change of ['online', 'offline']) addEventListener(change, () => { find('offline').hidden = navigator.onLine; });
addEventListener('hashchange', () => location.hash.length > 1 && open());

await start('page.authenticator', () => again());
open();

// Offline use is a comfort: where it cannot be had, everything else works.
for (const scope of ['/authenticator', '/q/']) navigator.serviceWorker?.register('/assets/worker.js', { scope }).catch(() => {});
