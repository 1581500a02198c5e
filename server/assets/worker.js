// Keeps the phone's page for offline use. It stores the page and nothing else: no answer of the service is ever kept.

const CACHE = 'stepup-{{version}}';
const PAGE = '/authenticator';
const SHELL = [
  PAGE, '/assets/authenticator.js', '/assets/authenticator.webmanifest', '/assets/stepup.css', '/assets/theme.css', '/assets/vendor/jsqr.js',
  ...['bytes', 'clock', 'dom', 'key', 'phone', 'qr', 'scan', 'text', 'wire'].map((name) => `/assets/lib/${name}.js`),
  ...'{{languages}}'.split(' ').map((code) => `/assets/lang/${code}.json`),
];

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL.map((path) => new Request(path, { cache: 'reload' })))).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  const old = (names) => names.filter((name) => name.startsWith('stepup-') && name !== CACHE);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  // The link of a rolling code is the same page; its payload must not become a key of the cache.
  const path = request.mode === 'navigate' && (pathname === PAGE || pathname.startsWith('/q/')) ? PAGE : pathname;
  if (!SHELL.includes(path)) return;
  // The network first, so that a repaired page is used at once; the copy when there is none.
  event.respondWith(fetch(request).catch(async () => (await (await caches.open(CACHE)).match(path)) ?? Response.error()));
});
