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
export async function call(method, path, { body, bearer, tenant, signal } = {}) {
  const headers = { Accept: 'application/json' };
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
  let socket;
  let timer;

  const create = () => ({ type: 'CREATE_CHALLENGE', data: { challengeType: 'QR_CODE', actionCode: action, ...(custom ? { custom } : {}), ...(rolling ? { rollingQr: true } : {}) } });

  function openSocket() {
    const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws-v1-challenge`;
    const credential = token ? `x.authsignal.token.${token}` : `x.authsignal.tenant.${tenant}`;
    let followed;
    socket = new WebSocket(address, ['authsignal-ws', credential]);
    socket.onopen = () => socket.send(JSON.stringify(create()));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === 'CHALLENGE_CREATED') {
        followed = message.data.challengeId;
        on.created(message.data);
      } else if (message.type === 'STATE_CHANGE') on.state(message.data.state, message.data.accessToken, message.data);
      else if (message.type === 'MATCH_CODE') on.code?.(message.data.matchCode, message.data);
      else if (message.type === 'QR') on.steps?.(message.data);
      else if (message.type === 'EXPIRED') on.state('expired', undefined, message.data);
      else if (message.type === 'ERROR') on.error(new Refused(message.data ?? {}, 0));
    };
    socket.onclose = () => {
      if (closed) return;
      on.fallback?.();
      // The one that a phone has already goes on; one that nobody has claimed is replaced.
      startPolling(followed);
    };
  }

  async function startPolling(followed) {
    try {
      const made = await call('POST', '/v1/client/challenge/qr-code', { tenant, bearer: token, body: { action, ...(custom ? { custom } : {}), ...(rolling ? { rollingQr: true } : {}), ...(followed ? { challengeId: followed } : {}) } });
      on.created(made);
      let last = '';
      const poll = async () => {
        if (closed) return;
        try {
          const answer = await call('POST', '/v1/client/verify/qr-code', { tenant: tenant ?? claims(token).aud, body: { challengeId: made.challengeId, deviceCode: made.deviceCode } });
          if (answer.qr) on.steps?.(answer.qr);
          if (['expired', 'superseded'].includes(answer.state)) return on.state(answer.state, undefined, { challengeId: made.challengeId });
          const state = answer.isVerified ? 'approved' : answer.isClaimed && answer.isConsumed ? 'rejected' : answer.isClaimed ? 'claimed' : '';
          if (state && state !== last) on.state((last = state), answer.accessToken, { challengeId: made.challengeId });
          if (answer.matchCode) on.code?.(answer.matchCode, { challengeId: made.challengeId });
          if (state === 'approved' || state === 'rejected') return;
        } catch (error) {
          if (error instanceof Refused && error.status >= 400 && error.status < 500 && error.status !== 429) {
            on.state('expired', undefined, { challengeId: made.challengeId });
            return;
          }
        }
        timer = setTimeout(poll, 2000);
      };
      timer = setTimeout(poll, 1000);
    } catch (error) {
      on.error(error);
    }
  }

  if (forcePolling || !window.WebSocket) startPolling();
  else openSocket();

  return {
    refresh() {
      clearTimeout(timer);
      if (socket && socket.readyState === socket.OPEN) socket.send(JSON.stringify(create()));
      else startPolling();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      socket?.close();
    },
  };
}
