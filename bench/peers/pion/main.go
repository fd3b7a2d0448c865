// A minimal WHIP/WHEP SFU on pion/webrtc v3 (Debian's golang-github-pion-webrtc.v3-dev): POST /whip, POST /whep, DELETE /r/{id}.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

type room struct {
	sync.Mutex
	tracks map[string]*webrtc.TrackLocalStaticRTP
	pub    *webrtc.PeerConnection
	video  webrtc.SSRC
	pcs    map[string]*webrtc.PeerConnection
	next   int
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8090", "")
	mux := flag.Int("mux", 0, "one UDP port for all peers; 0: one each")
	nack := flag.Bool("interceptors", true, "pion's default interceptors (NACK, reports, TWCC)")
	flag.Parse()
	rm := &room{tracks: map[string]*webrtc.TrackLocalStaticRTP{}, pcs: map[string]*webrtc.PeerConnection{}}
	se := webrtc.SettingEngine{}
	se.SetIncludeLoopbackCandidate(true)
	se.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if *mux > 0 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: *mux})
		if err != nil {
			log.Fatal(err)
		}
		c.SetReadBuffer(4 << 20)
		c.SetWriteBuffer(4 << 20)
		se.SetICEUDPMux(webrtc.NewICEUDPMux(nil, c))
	}
	me := &webrtc.MediaEngine{}
	fb := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	me.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", RTCPFeedback: fb}, PayloadType: 102}, webrtc.RTPCodecTypeVideo)
	me.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
		SDPFmtpLine: "minptime=10;useinbandfec=1"}, PayloadType: 111}, webrtc.RTPCodecTypeAudio)
	ir := &interceptor.Registry{}
	if *nack {
		if err := webrtc.RegisterDefaultInterceptors(me, ir); err != nil {
			log.Fatal(err)
		}
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me), webrtc.WithInterceptorRegistry(ir))

	answer := func(w http.ResponseWriter, r *http.Request, setup func(pc *webrtc.PeerConnection) error) {
		body, _ := io.ReadAll(r.Body)
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		if err == nil {
			err = setup(pc)
		}
		if err == nil {
			err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(body)})
		}
		var ans webrtc.SessionDescription
		if err == nil {
			ans, err = pc.CreateAnswer(nil)
		}
		if err == nil {
			done := webrtc.GatheringCompletePromise(pc)
			if err = pc.SetLocalDescription(ans); err == nil {
				<-done
			}
		}
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		rm.Lock()
		rm.next++
		id := fmt.Sprint(rm.next)
		rm.pcs[id] = pc
		rm.Unlock()
		w.Header().Set("Content-Type", "application/sdp")
		w.Header().Set("Location", "/r/"+id)
		w.WriteHeader(201)
		io.WriteString(w, pc.LocalDescription().SDP)
	}
	http.HandleFunc("/whip", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(pc *webrtc.PeerConnection) error {
			for _, k := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
				if _, err := pc.AddTransceiverFromKind(k, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
					return err
				}
				mime, kind := webrtc.MimeTypeOpus, "audio"
				if k == webrtc.RTPCodecTypeVideo {
					mime, kind = webrtc.MimeTypeH264, "video"
				}
				t, _ := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "live")
				rm.Lock()
				rm.tracks[kind] = t
				rm.Unlock()
			}
			pc.OnTrack(func(t *webrtc.TrackRemote, rc *webrtc.RTPReceiver) {
				rm.Lock()
				out := rm.tracks[t.Kind().String()]
				rm.pub = pc
				if t.Kind() == webrtc.RTPCodecTypeVideo {
					rm.video = t.SSRC()
				}
				rm.Unlock()
				buf := make([]byte, 1600)
				for {
					n, _, err := t.Read(buf)
					if err != nil {
						return
					}
					out.Write(buf[:n])
				}
			})
			return nil
		})
	})
	http.HandleFunc("/whep", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(pc *webrtc.PeerConnection) error {
			rm.Lock()
			defer rm.Unlock()
			for _, t := range rm.tracks {
				s, err := pc.AddTrack(t)
				if err != nil {
					return err
				}
				go func() {
					for {
						ps, _, err := s.ReadRTCP()
						if err != nil {
							return
						}
						for _, p := range ps {
							if _, ok := p.(*rtcp.PictureLossIndication); ok && rm.pub != nil {
								rm.pub.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(rm.video)}})
							}
						}
					}
				}()
			}
			return nil
		})
	})
	http.HandleFunc("/r/", func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Path[3:]
		rm.Lock()
		pc := rm.pcs[id]
		delete(rm.pcs, id)
		rm.Unlock()
		if pc != nil {
			pc.Close()
		}
	})
	s := &http.Server{Addr: *addr, ReadTimeout: 30 * time.Second}
	log.Fatal(s.ListenAndServe())
}
