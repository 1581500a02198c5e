// Talking to Stepup: JSON over HTTP, and the live state of a challenge over a WebSocket with polling as the fallback.

import { learn } from './clock.js';

/** What the server refused, in its own words. */
export class Refused extends Error {
  constructor(body, status) {
    super(body.errorDescription || body.error || `HTTP ${status}`);
    this.code = body.errorCode || body.error;
    this.status = status;
    this.attemptsLeft = body.attemptsLeft;
  }
}

/** Sends JSON and returns the JSON that comes back; throws `Refused` with the server's words. */
export async function call(method, path, { body, bearer, tenant, signal, headers: more } = {}) {
  const headers = { Accept: 'application/json', ...more };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  else if (tenant) headers.Authorization = `Basic ${btoa(encodeURIComponent(tenant))}`;
  const response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store' });
  learn(response);
  const answer = await response.json().catch(() => ({ error: 'invalid_answer', errorDescription: `the server answered HTTP ${response.status} without JSON` }));
  if (!response.ok || answer.error) throw new Refused(answer, response.status);
  return answer;
}

/** What a token says of itself; it is not verified here, the server does that. */
export function claims(token) {
  const part = token.split('.')[1] ?? '';
  const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/**
 * Opens a challenge and reports its life: `on.created({challengeId, expiresAt})`, `on.state(state, accessToken)`,
 * `on.code(digits, data)` with what the person must type on the phone, `on.steps(qr)` with the next steps of a rolling code, `on.fallback()` when it goes on by polling, `on.error(error)`. Returns `{ refresh(), close() }`.
 */
export function live({ tenant, token, action, custom, rolling = false, forcePolling = false }, on) {
  let closed = false;
  let polls = forcePolling || !window.WebSocket;
  let socket;
  let timer;
  let followed;

  const create = () => ({ type: 'CREATE_CHALLENGE', data: { challengeType: 'QR_CODE', actionCode: action, ...(custom ? { custom } : {}), ...(rolling ? { rollingQr: true } : {}) } });

  function openSocket() {
    const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws-v1-challenge`;
    const credential = token ? `x.authsignal.token.${token}` : `x.authsignal.tenant.${tenant}`;
    let made;
    socket = new WebSocket(address, ['authsignal-ws', credential]);
    socket.onopen = () => socket.send(JSON.stringify(create()));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === 'CHALLENGE_CREATED') {
        made = message.data;
        on.created(made);
      } else if (message.type === 'STATE_CHANGE') on.state(message.data.state, message.data.accessToken, message.data);
      else if (message.type === 'MATCH_CODE') on.code?.(message.data.matchCode, message.data);
      else if (message.type === 'QR') on.steps?.(message.data);
      else if (message.type === 'EXPIRED') on.state('expired', undefined, message.data);
      else if (message.type === 'ERROR') {
        // What follows is for SDKs that know no errors: a challenge that nobody can claim, and its end.
        leave();
        on.error(new Refused(message.data ?? {}, 0));
      }
    };
    socket.onclose = () => {
      if (closed) return;
      polls = true;
      on.fallback?.();
      // The screen goes on with what it shows, and proves with the device code that it is its own.
      if (made) follow(made);
      else createPolled();
    };
  }

  function leave() {
    if (!socket) return;
    socket.onmessage = socket.onclose = undefined;
    socket.close();
    socket = undefined;
  }

  async function createPolled() {
    try {
      follow(await call('POST', '/v1/client/challenge/qr-code', { tenant, bearer: token, body: { action, ...(custom ? { custom } : {}), ...(rolling ? { rollingQr: true } : {}) } }));
    } catch (error) {
      on.error(error);
    }
  }

  function follow({ challengeId, deviceCode, ...made }) {
    if (closed) return;
    followed = challengeId;
    on.created({ challengeId, ...made });
    let last = '';
    const poll = async () => {
      if (closed || followed !== challengeId) return;
      try {
        const answer = await call('POST', '/v1/client/verify/qr-code', { tenant: tenant ?? claims(token).aud, body: { challengeId, deviceCode } });
        if (answer.qr) on.steps?.(answer.qr);
        if (['expired', 'superseded'].includes(answer.state)) return on.state(answer.state, undefined, { challengeId });
        const state = answer.isVerified ? 'approved' : answer.isClaimed && answer.isConsumed ? 'rejected' : answer.isClaimed ? 'claimed' : '';
        if (state && state !== last) on.state((last = state), answer.accessToken, { challengeId });
        if (answer.matchCode) on.code?.(answer.matchCode, { challengeId });
        if (state === 'approved' || state === 'rejected') return;
      } catch (error) {
        if (error instanceof Refused && error.status >= 400 && error.status < 500 && error.status !== 429) {
          on.state('expired', undefined, { challengeId });
          return;
        }
      }
      timer = setTimeout(poll, 2000);
    };
    // Something may have happened while nobody listened.
    poll();
  }

  function openAgain() {
    if (polls) createPolled();
    else if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(create()));
    else {
      leave();
      openSocket();
    }
  }

  openAgain();

  return {
    refresh() {
      clearTimeout(timer);
      openAgain();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      leave();
    },
  };
}
