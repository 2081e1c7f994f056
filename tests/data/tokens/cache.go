// Package cache keeps values for a while.
package cache

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed is returned once the cache has been closed.
var ErrClosed = errors.New("cache: closed")

type entry[K comparable, V any] struct {
	key     K
	value   V
	expires time.Time
}

// LRU forgets what has not been asked for the longest.
type LRU[K comparable, V any] struct {
	mu       sync.Mutex
	items    map[K]*list.Element
	order    *list.List
	capacity int
	ttl      time.Duration
	closed   bool
	load     func(context.Context, K) (V, error)
}

func New[K comparable, V any](capacity int, ttl time.Duration, load func(context.Context, K) (V, error)) *LRU[K, V] {
	return &LRU[K, V]{items: make(map[K]*list.Element), order: list.New(), capacity: capacity, ttl: ttl, load: load}
}

func (c *LRU[K, V]) Get(ctx context.Context, key K) (V, error) {
	var zero V
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return zero, ErrClosed
	}
	if element, ok := c.items[key]; ok {
		item := element.Value.(*entry[K, V])
		if time.Now().Before(item.expires) {
			c.order.MoveToFront(element)
			c.mu.Unlock()
			return item.value, nil
		}
		c.order.Remove(element)
		delete(c.items, key)
	}
	c.mu.Unlock()

	value, err := c.load(ctx, key)
	if err != nil {
		return zero, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() >= c.capacity {
		oldest := c.order.Back()
		delete(c.items, oldest.Value.(*entry[K, V]).key)
		c.order.Remove(oldest)
	}
	c.items[key] = c.order.PushFront(&entry[K, V]{key: key, value: value, expires: time.Now().Add(c.ttl)})
	return value, nil
}
