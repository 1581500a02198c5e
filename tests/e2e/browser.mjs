// A real, headless Chromium. Its camera can be fed from a file.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium'].find(existsSync);

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Opens a browser with a profile of its own. `camera` is a Y4M file that the camera shows, or false for a machine without one; `locale` is what it asks pages to speak. */
export async function openBrowser({ camera, locale = 'en-GB' } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'stepup-chromium-'));
  const feed = camera ? ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-video-capture=${camera}`]
    : camera === false ? ['--use-fake-device-for-media-stream=device-count=0', '--use-fake-ui-for-media-stream'] : [];
  const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, locale, args: [...FLAGS, ...feed], viewport: { width: 1180, height: 900 } });
  const close = context.close.bind(context);
  context.close = async () => {
    await close();
    rmSync(profile, { recursive: true, force: true });
  };
  return context;
}

/** Writes grey pixels as a one-frame Y4M film (4:2:0), which Chromium repeats for ever. */
export function film(path, { width, height, data }) {
  const header = Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`);
  const luma = Buffer.alloc(width * height);
  for (let place = 0; place < luma.length; place += 1) luma[place] = data[place * 4];
  const frame = Buffer.concat([Buffer.from('FRAME\n'), luma, Buffer.alloc((width / 2) * (height / 2) * 2, 128)]);
  writeFileSync(path, Buffer.concat([header, frame, frame]));
}
