// Reading QR codes from the camera: the browser's own detector where it has one, jsQR where it has none.

/** Starts the camera in `video` and calls `found(text)` once with the first code it reads. Returns a function that stops. */
export async function scan(video, found) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } }, audio: false });
  video.srcObject = stream;
  video.setAttribute('playsinline', '');
  await video.play();

  const detect = await detector();
  let running = true;
  const stop = () => {
    running = false;
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  const look = async () => {
    if (!running) return;
    const text = video.videoWidth ? await detect(video) : undefined;
    if (text && running) {
      stop();
      found(text);
    } else setTimeout(look, 120);
  };
  look();
  return stop;
}

async function detector() {
  const formats = 'BarcodeDetector' in window ? await BarcodeDetector.getSupportedFormats().catch(() => []) : [];
  if (formats.includes('qr_code')) {
    const native = new BarcodeDetector({ formats: ['qr_code'] });
    return async (video) => (await native.detect(video))[0]?.rawValue;
  }
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return async (video) => {
    const scale = Math.min(1, 800 / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    return window.jsQR(data, width, height)?.data || undefined;
  };
}
