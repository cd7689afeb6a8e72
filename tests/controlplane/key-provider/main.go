// A key management provider for kube-apiserver, KMS v2, on a Unix socket: what encrypts the keys of Secrets in a real
// cluster. The test that started it stops it, to see what the API server says then.
//
//	key-provider SOCKET
package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"k8s.io/kms/pkg/service"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: key-provider SOCKET")
		os.Exit(2)
	}
	socket := os.Args[1]
	// Its predecessor was killed, which leaves the socket behind.
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		fail(err)
	}
	provider, err := newProvider(socket)
	if err != nil {
		fail(err)
	}
	fail(service.NewGRPCService(socket, 5*time.Second, provider).ListenAndServe())
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "key-provider:", err)
	os.Exit(1)
}

// provider keeps no secret: a successor on the same socket has to read what this one has encrypted.
type provider struct {
	seal cipher.AEAD
}

func newProvider(socket string) (*provider, error) {
	key := sha256.Sum256([]byte(socket))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	return &provider{seal}, err
}

func (p *provider) Status(context.Context) (*service.StatusResponse, error) {
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: keyID}, nil
}

func (p *provider) Encrypt(_ context.Context, _ string, plain []byte) (*service.EncryptResponse, error) {
	nonce := make([]byte, p.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return &service.EncryptResponse{Ciphertext: p.seal.Seal(nonce, nonce, plain, nil), KeyID: keyID}, nil
}

func (p *provider) Decrypt(_ context.Context, _ string, request *service.DecryptRequest) ([]byte, error) {
	size := p.seal.NonceSize()
	if len(request.Ciphertext) < size {
		return nil, fmt.Errorf("%d bytes are no ciphertext of mine", len(request.Ciphertext))
	}
	return p.seal.Open(nil, request.Ciphertext[:size], request.Ciphertext[size:], nil)
}

const keyID = "1"
