package qubus

// #include "shim.h"
import "C"

import (
	"os"
	"sync"
	"syscall"
)

// dispatcher wakes goroutines when their calls end and their streams have events. One goroutine
// sleeps in the runtime's poller on the client's readiness descriptor, so that a thousand waiting
// goroutines hold no thread.
type dispatcher struct {
	mu      sync.Mutex
	waiting map[uint64]chan struct{}
	lastTag uint64
	file    *os.File // a duplicate of the descriptor; nil before the first tag
	done    chan struct{}
	stopped bool
}

// register gives a tag and the channel on which its completions come; the channel holds one.
func (d *dispatcher) register(client *C.qubus_client) (uint64, chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return 0, nil, closedError("client")
	}
	if d.file == nil {
		if err := d.start(client); err != nil {
			return 0, nil, err
		}
	}
	d.lastTag++
	wake := make(chan struct{}, 1)
	d.waiting[d.lastTag] = wake
	return d.lastTag, wake, nil
}

func (d *dispatcher) forget(tag uint64) {
	d.mu.Lock()
	delete(d.waiting, tag)
	d.mu.Unlock()
}

func (d *dispatcher) start(client *C.qubus_client) error {
	frame := takeFrame()
	defer giveFrame(frame)
	descriptor := C.qubus_client_descriptor(client, &frame.error)
	if descriptor < 0 {
		return failure(frame.error.code, &frame.error)
	}
	// A duplicate, because closing the file must leave the library's own descriptor open.
	syscall.ForkLock.RLock()
	copied, err := syscall.Dup(int(descriptor))
	if err == nil {
		syscall.CloseOnExec(copied)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return newError(ErrOutOfMemory, "no descriptor is left for the client: %v", err)
	}
	d.file = os.NewFile(uintptr(copied), "qubus readiness")
	raw, err := d.file.SyscallConn()
	if err != nil {
		return newError(ErrInternalError, "the readiness descriptor cannot be watched: %v", err)
	}
	d.waiting = make(map[uint64]chan struct{})
	d.done = make(chan struct{})
	go func() {
		defer close(d.done)
		// Ends with an error when stop closes the file. The poller is edge-triggered: take
		// everything each time.
		_ = raw.Read(func(uintptr) bool {
			d.drain(client)
			return false
		})
	}()
	return nil
}

func (d *dispatcher) drain(client *C.qubus_client) {
	var tag C.uint64_t
	for C.qubus_client_next_completion(client, &tag, nil) == C.QUBUS_OK {
		d.mu.Lock()
		wake := d.waiting[uint64(tag)]
		d.mu.Unlock()
		signal(wake)
	}
}

// signal never blocks: a channel that is full will be looked at anyway.
func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// stop ends the watching and wakes everyone who waits; calls of the client have ended before.
func (d *dispatcher) stop() {
	d.mu.Lock()
	d.stopped = true
	file := d.file
	d.mu.Unlock()
	if file != nil {
		_ = file.Close()
		<-d.done
	}
	d.mu.Lock()
	for _, wake := range d.waiting {
		signal(wake)
	}
	d.mu.Unlock()
}
