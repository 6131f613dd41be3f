package qubus

import (
	"sync"
	"unsafe"
)

// handle guards a pointer of the library: many may use it at once, and it is freed once, when nobody
// is inside. There are no finalizers: what is not closed lives until its client is closed.
type handle struct {
	mu      sync.RWMutex
	pointer unsafe.Pointer
}

// acquire gives the pointer for one call into C, nil after the close; release follows in any case.
func (h *handle) acquire() unsafe.Pointer {
	h.mu.RLock()
	return h.pointer
}

func (h *handle) release() { h.mu.RUnlock() }

// take gives the pointer away for freeing, once everyone has left; nil when it was taken before.
func (h *handle) take() unsafe.Pointer {
	h.mu.Lock()
	defer h.mu.Unlock()
	pointer := h.pointer
	h.pointer = nil
	return pointer
}

// child is something that closing its client closes.
type child interface{ abandon() }

// children are what was opened from a client and not closed yet.
type children struct {
	mu  sync.Mutex
	all map[child]struct{}
}

func (c *children) add(one child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[child]struct{})
	}
	c.all[one] = struct{}{}
}

func (c *children) remove(one child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, one)
}

func (c *children) snapshot() []child {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]child, 0, len(c.all))
	for one := range c.all {
		all = append(all, one)
	}
	return all
}
