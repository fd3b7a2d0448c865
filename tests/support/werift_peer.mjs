// A werift (node) peer over WHEP or WHIP: (whep|whip) URL TOKEN. It knows no codecs, so what it receives is counted
// and given to its own H264 depacketizer, and what it publishes are RTP packets that come to its UDP port.
// Prints `port <n>`, `state <connectionState>`, `packets <kind> <n>` and `keyframe`.
import {createRequire} from 'node:module';
import {createSocket} from 'node:dgram';
import {resolve} from 'node:path';

const [kind, url, token] = process.argv.slice(2);
const {
  RTCPeerConnection, MediaStreamTrack, RtpPacket, RTCRtpCodecParameters, H264RtpPayload, useNACK, usePLI,
} = createRequire(resolve('package.json'))('werift');

const h264 = new RTCRtpCodecParameters({
  mimeType: 'video/H264', clockRate: 90000, payloadType: 102, rtcpFeedback: [useNACK(), usePLI()],
  parameters: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
});
const opus = new RTCRtpCodecParameters({mimeType: 'audio/opus', clockRate: 48000, channels: 2, payloadType: 111});
const peer = new RTCPeerConnection({
  codecs: {audio: [opus], video: [h264]}, bundlePolicy: 'max-bundle', iceServers: [],
  iceAdditionalHostAddresses: ['127.0.0.1'], iceUseIpv6: false,
});
peer.connectionStateChange.subscribe(state => console.log('state', state));

function play(track) {
  const seen = {packets: 0};
  track.onReceiveRtp.subscribe(packet => {
    if (++seen.packets % 30 === 0) console.log('packets', track.kind, seen.packets);
    if (track.kind === 'video' && H264RtpPayload.deSerialize(packet.payload).isKeyframe) console.log('keyframe');
  });
}

if (kind === 'whep') {
  peer.onTrack.subscribe(play);
  for (const one of ['audio', 'video']) peer.addTransceiver(one, {direction: 'recvonly'});
} else {
  const track = new MediaStreamTrack({kind: 'video'});
  peer.addTransceiver(track, {direction: 'sendonly'});
  const source = createSocket('udp4');
  source.on('message', data => {
    const packet = RtpPacket.deSerialize(data);
    packet.header.payloadType = h264.payloadType;
    track.writeRtp(packet);
  });
  source.bind(0, '127.0.0.1', () => console.log('port', source.address().port));
}
await peer.setLocalDescription(await peer.createOffer());
const headers = {'Content-Type': 'application/sdp', ...(token ? {Authorization: `Bearer ${token}`} : {})};
const answer = await fetch(url, {method: 'POST', headers, body: peer.localDescription.sdp});
if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
await peer.setRemoteDescription({type: 'answer', sdp: await answer.text()});
