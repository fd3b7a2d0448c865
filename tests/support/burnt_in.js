/**
 * For pages under test: a counter burnt into the picture. `burnIn` makes a page's camera a canvas that shows the number of
 * each frame as black and white blocks; a camera that is asked for later has half the size. `readBack` reads the number from
 * the frames that a <video> shows. Both keep the wall clock of one machine, so that what was drawn and what was seen can be
 * put side by side.
 */
const BITS = 16;
const FRAME_MS = 1000 / 30;
const [WIDTH, HEIGHT, BLOCK] = [640, 360, 40];
const SPECKS = 40;
/** Two rows, the number and its complement: a frame that does not read so was not read. */
const TOP = HEIGHT - 2 * BLOCK;
const wall = () => performance.timeOrigin + performance.now();

/**
 * `window.burnt`: drawn [number, wall ms] of every frame; presses [next number, wall ms] of commands, which go out late.
 * With `noise` the picture takes all the bits that its encoder may spend.
 */
function burnIn(uplinkMs, noise) {
  const burnt = (window.burnt = { drawn: [], presses: [] });
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d", { alpha: false });
  const picture = canvas.captureStream(0);
  const [track] = picture.getVideoTracks();
  const small = document.createElement("canvas");
  Object.assign(small, { width: WIDTH / 2, height: HEIGHT / 2 });
  const smaller = small.getContext("2d", { alpha: false });
  const cameras = [track, ...small.captureStream(0).getVideoTracks()];
  let number = 0;
  let due = performance.now();
  const draw = () => {
    due = Math.max(due + FRAME_MS, performance.now());
    setTimeout(draw, due - performance.now());
    number++;
    context.fillStyle = `hsl(${number % 360} 40% 50%)`;
    context.fillRect(0, 0, WIDTH, TOP);
    for (let left = noise ? SPECKS : 0; left; left--) {
      context.fillStyle = `hsl(${360 * Math.random()} 90% ${100 * Math.random()}%)`;
      context.fillRect(WIDTH * Math.random(), TOP * Math.random() - 16, 16, 16);
    }
    for (let bit = 0; bit < BITS; bit++) {
      const on = (number >> bit) & 1;
      context.fillStyle = on ? "#fff" : "#000";
      context.fillRect(bit * BLOCK, TOP, BLOCK, BLOCK);
      context.fillStyle = on ? "#000" : "#fff";
      context.fillRect(bit * BLOCK, TOP + BLOCK, BLOCK, BLOCK);
    }
    if (track.readyState === "ended") smaller.drawImage(canvas, 0, 0, small.width, small.height);
    for (const camera of cameras) camera.requestFrame();
    burnt.drawn.push([number, wall()]);
  };
  draw();
  const devices = navigator.mediaDevices;
  const real = devices.getUserMedia.bind(devices);
  let asked = 0;
  devices.getUserMedia = async ({ video, audio }) => {
    const stream = audio ? await real({ audio }) : new MediaStream();
    if (video) stream.addTrack(cameras[Math.min(asked++, 1)]);
    return stream;
  };
  const send = window.fetch;
  window.fetch = async (url, init = {}) => {
    if (!init.headers?.["Vendue-Press"] || !/(pin|flash)$/.test(url)) return send(url, init);
    burnt.presses.push([number + 1, wall()]);
    await new Promise((resolve) => setTimeout(resolve, uplinkMs[burnt.presses.length - 1] ?? 0));
    return send(url, init);
  };
}

/** Video leaves in this codec alone, in one layer, whatever the page prefers. */
function sendOnly(codec) {
  const { addTransceiver } = RTCPeerConnection.prototype;
  const { setCodecPreferences } = RTCRtpTransceiver.prototype;
  RTCPeerConnection.prototype.addTransceiver = function (track, { sendEncodings, ...options }) {
    return addTransceiver.call(this, track, options);
  };
  RTCRtpTransceiver.prototype.setCodecPreferences = function (codecs) {
    const wanted = ({ mimeType }) => this.direction !== "sendonly" || [`video/${codec}`, "video/rtx"].includes(mimeType);
    setCodecPreferences.call(this, codecs.filter(wanted));
  };
}

/** `window.seen`: frames [number, wall ms when it is expected on screen]; changes [number of the frame on screen, wall ms, what `watched` says]. */
function readBack(watched) {
  const seen = (window.seen = { frames: [], changes: [], unread: 0 });
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: BITS * 4, height: 8 });
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const read = (video) => {
    const [width, height] = [video.videoWidth, video.videoHeight];
    context.drawImage(video, 0, (height * TOP) / HEIGHT, width, (height * 2 * BLOCK) / HEIGHT, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const white = (bit, row) => data[4 * ((row * 4 + 2) * canvas.width + bit * 4 + 2)] > 128;
    let number = 0;
    for (let bit = 0; bit < BITS; bit++) {
      if (white(bit, 0) === white(bit, 1)) return null;
      number += white(bit, 0) << bit;
    }
    return number;
  };
  addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("video");
    const next = () => video.requestVideoFrameCallback((_now, { expectedDisplayTime }) => {
      const number = read(video);
      if (number === null) seen.unread++;
      else seen.frames.push([number, performance.timeOrigin + expectedDisplayTime]);
      next();
    });
    next();
    const said = () => watched.map((id) => document.getElementById(id).textContent).join(" ");
    const look = new MutationObserver(() => {
      const now = said();
      if (seen.changes.at(-1)?.[2] !== now) seen.changes.push([seen.frames.at(-1)?.[0] ?? 0, wall(), now]);
    });
    for (const id of watched) look.observe(document.getElementById(id), { childList: true, characterData: true, subtree: true });
  });
}
