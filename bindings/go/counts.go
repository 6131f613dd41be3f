package qubus

// Counts is the histogram of the first row of the only pub: outcomes by bit string, the highest
// classical bit leftmost. Errors: ErrUnknownResultItem when there are no counts or several pubs.
func (r *Result) Counts() (map[string]uint64, error) {
	if len(r.bitCounts) > 1 {
		return nil, newError(ErrUnknownResultItem,
			"the result holds counts of %d publication units: ask one, CountsOf(pub)", len(r.bitCounts))
	}
	rows, err := r.CountsOf(0)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, newError(ErrUnknownResultItem, "the counts have no rows")
	}
	return rows[0], nil
}

// CountsOf gives one histogram for each row of a pub.
func (r *Result) CountsOf(pub int) ([]map[string]uint64, error) {
	keys, err := r.Array(pub, "counts.keys")
	if err != nil {
		return nil, err
	}
	values, err := r.Array(pub, "counts.values")
	if err != nil {
		return nil, err
	}
	offsets, err := r.Array(pub, "counts.offsets")
	if err != nil {
		return nil, err
	}
	bits := r.bitCounts[pub]
	words := (bits + 63) / 64
	if words == 0 {
		words = 1
	}
	bounds, entries := offsets.Uint64, uint64(len(values.Uint64))
	if len(keys.Uint64) < len(values.Uint64)*words || len(bounds) == 0 {
		return nil, newError(ErrProtocolError, "the counts of pub %d do not fit together", pub)
	}
	rows := make([]map[string]uint64, len(bounds)-1)
	text := make([]byte, bits)
	for row := range rows {
		first, last := bounds[row], bounds[row+1]
		if first > last || last > entries {
			return nil, newError(ErrProtocolError, "the counts of pub %d do not fit together", pub)
		}
		rows[row] = make(map[string]uint64, last-first)
		for entry := first; entry < last; entry++ {
			key := keys.Uint64[entry*uint64(words) : (entry+1)*uint64(words)]
			for bit := 0; bit < bits; bit++ {
				text[bits-1-bit] = '0' + byte(key[bit/64]>>(bit%64)&1)
			}
			rows[row][string(text)] = values.Uint64[entry]
		}
	}
	return rows, nil
}
