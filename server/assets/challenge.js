// The hosted page that `track` returns as `url`: shows the code, follows its life, returns to the application.

import { find } from './lib/dom.js';
import { claims, live } from './lib/wire.js';

const parameters = new URLSearchParams(location.search);
const token = parameters.get('token') ?? '';
let shown;
let timer;

function say(text, title) {
  find('status').textContent = text;
  if (title) find('title').textContent = title;
}

function retire(text, title, again = true) {
  clearInterval(timer);
  find('countdown').textContent = '';
  find('qr').classList.add('dimmed');
  find('here').hidden = true;
  find('again').hidden = !again;
  say(text, title);
}

const on = {
  created({ challengeId, expiresAt }) {
    shown = challengeId;
    find('code').src = `/qr/${challengeId}.svg`;
    find('qr').hidden = false;
    find('qr').classList.remove('dimmed');
    find('again').hidden = true;
    find('here').hidden = false;
    find('here').href = `/authenticator#c=${challengeId}`;
    find('title').textContent = 'Confirm with your phone';
    say('Waiting for your phone.');
    clearInterval(timer);
    timer = setInterval(() => {
      const left = Math.max(0, Math.round((new Date(expiresAt) - Date.now()) / 1000));
      find('countdown').textContent = left > 0 ? `Valid for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` : '';
      if (left === 0) retire('The code has expired. Nothing was confirmed.', 'Time is up');
    }, 1000);
  },
  state(state, accessToken, data) {
    if (data?.challengeId && data.challengeId !== shown) return;
    if (state === 'claimed') {
      find('qr').classList.add('dimmed');
      find('here').hidden = true;
      say('Your phone has the request. Answer it there.');
    } else if (state === 'approved') {
      retire('You can close this page.', 'Confirmed', false);
      goBack(accessToken);
    } else if (state === 'rejected') retire('The request was rejected on the phone.', 'Rejected');
    else retire('The code has expired. Nothing was confirmed.', 'Time is up');
  },
  fallback() {
    say('Reconnecting…');
  },
  error(error) {
    retire(error.message, 'This cannot be confirmed here', false);
  },
};

/** Where the application wanted the person back: the server put it into the token after checking it. */
function goBack(accessToken) {
  const target = redirect;
  if (!target) return;
  const address = new URL(target);
  address.searchParams.set('token', accessToken);
  say('Taking you back…');
  setTimeout(() => location.assign(address), 600);
}

let redirect;
try {
  const other = claims(token).other ?? {};
  redirect = other.redirectUrl;
  const screen = live({ token, action: other.actionCode }, on);
  find('again').addEventListener('click', () => screen.refresh());
} catch {
  retire('The address of this page holds no valid token. Go back to the application and start again.', 'This link does not work', false);
}
