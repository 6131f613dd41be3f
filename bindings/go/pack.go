package qubus

// #include "shim.h"
import "C"

// pack writes a spec into C memory that lives as long as the arena.
func pack(memory *arena, spec *JobSpec) (*C.qubus_job_spec, error) {
	list, native := makeArray[C.qubus_job_spec](memory, 1)
	n := &list[0]
	*n = C.qubus_go_job_spec()
	if len(spec.Pubs) > 0 {
		pubs, first := makeArray[C.qubus_pub](memory, len(spec.Pubs))
		for i := range pubs {
			if err := packPub(memory, &pubs[i], &spec.Pubs[i]); err != nil {
				return nil, err
			}
		}
		n.pubs, n.pub_count = first, C.uint64_t(len(pubs))
	}
	for _, text := range []struct {
		to    **C.char
		field string
		value string
	}{
		{&n.idempotency_key, "idempotency_key", spec.IdempotencyKey},
		{&n.client_job_id, "client_job_id", spec.ClientJobID},
		{&n.device, "device", spec.Device},
		{&n.device_family, "device_family", spec.DeviceFamily},
		{&n.device_policy, "device_policy", spec.DevicePolicy},
		{&n.precision, "precision", spec.Precision},
		{&n.experiment_id, "experiment_id", spec.ExperimentID},
		{&n.name, "name", spec.Name},
		{&n.experiment_class, "experiment_class", spec.ExperimentClass},
		{&n.citation, "citation", spec.Citation},
	} {
		var err error
		if *text.to, err = memory.text(text.field, text.value); err != nil {
			return nil, err
		}
	}
	var err error
	for _, list := range []struct {
		to     ***C.char
		count  *C.uint64_t
		field  string
		values []string
	}{
		{&n.tags, &n.tag_count, "tags", spec.Tags},
		{&n.after, &n.after_count, "after", spec.After},
		{&n.after_ok, &n.after_ok_count, "after_ok", spec.AfterOK},
	} {
		if *list.to, *list.count, err = packTexts(memory, list.field, list.values); err != nil {
			return nil, err
		}
	}
	n.priority_class = C.int32_t(spec.Priority)
	if spec.AllowSimulatorFallback {
		n.allow_simulator_fallback = 1
	}
	if spec.Seed != nil {
		n.has_seed, n.seed = 1, C.uint64_t(*spec.Seed)
	}
	if spec.MaxCost != nil {
		n.max_cost = C.int64_t(*spec.MaxCost)
	}
	n.max_error = C.double(spec.MaxError)
	n.deadline_seconds = C.double(spec.Deadline.Seconds())
	n.ttl_seconds = C.double(spec.TTL.Seconds())
	n.expected_seconds = C.double(spec.Expected.Seconds())
	n.max_run_seconds = C.double(spec.MaxRun.Seconds())
	return native, nil
}

func packPub(memory *arena, n *C.qubus_pub, pub *Pub) error {
	*n = C.qubus_go_pub()
	n.program, n.program_bytes = memory.bytes(pub.Program)
	n.outputs = C.uint32_t(pub.Outputs)
	if pub.Shots != 0 {
		n.shots = C.int64_t(pub.Shots)
	}
	n.target_precision = C.double(pub.TargetPrecision)
	if len(pub.Parameters) > 0 {
		parameters, first := makeArray[C.qubus_parameter](memory, len(pub.Parameters))
		for i, p := range pub.Parameters {
			if err := packParameter(memory, &parameters[i], p); err != nil {
				return err
			}
		}
		n.parameters, n.parameter_count = first, C.uint64_t(len(parameters))
	}
	var err error
	if n.observables, n.observable_count, err = packObservables(memory, pub.Observables); err != nil {
		return err
	}
	if len(pub.ObservablesShape) > 0 {
		if count := product(pub.ObservablesShape); count != len(pub.Observables) {
			return newError(ErrInvalidObservable, "the shape %v has %d elements, there are %d observables",
				pub.ObservablesShape, count, len(pub.Observables))
		}
		n.observables_shape = memory.lengths(pub.ObservablesShape)
		n.observables_rank = C.uint64_t(len(pub.ObservablesShape))
	}
	return nil
}

func packParameter(memory *arena, n *C.qubus_parameter, p Parameter) error {
	*n = C.qubus_go_parameter()
	// C reads as many numbers as the shape says, so they must be there.
	if count := product(p.Shape); count != len(p.Values) {
		e := newError(ErrInvalidParameterShape, "parameter %q has the shape %v of %d elements, and %d values",
			p.Name, p.Shape, count, len(p.Values))
		e.Violations = []Violation{{Field: "pubs[].parameters", Explanation: e.Message}}
		return e
	}
	var err error
	if n.name, err = memory.textOrEmpty("pubs[].parameters[].name", p.Name); err != nil {
		return err
	}
	n.rank = C.uint32_t(len(p.Shape))
	n.shape = memory.lengths(p.Shape)
	n.values = memory.numbers(p.Values)
	return nil
}

func packObservables(
	memory *arena, observables []Observable,
) (*C.qubus_observable, C.uint64_t, error) {
	if len(observables) == 0 {
		return nil, 0, nil
	}
	packed, first := makeArray[C.qubus_observable](memory, len(observables))
	for i, observable := range observables {
		packed[i] = C.qubus_go_observable()
		terms, firstTerm := makeArray[C.qubus_pauli_term](memory, len(observable))
		for k, term := range observable {
			var err error
			if terms[k].pauli, err = memory.textOrEmpty("observables[].pauli", term.Pauli); err != nil {
				return nil, 0, err
			}
			terms[k].coefficient = C.double(term.Coefficient)
		}
		packed[i].terms, packed[i].term_count = firstTerm, C.uint32_t(len(observable))
	}
	return first, C.uint64_t(len(observables)), nil
}

func packTexts(memory *arena, field string, texts []string) (**C.char, C.uint64_t, error) {
	if len(texts) == 0 {
		return nil, 0, nil
	}
	packed, first := makeArray[*C.char](memory, len(texts))
	for i, text := range texts {
		var err error
		if packed[i], err = memory.textOrEmpty(field, text); err != nil {
			return nil, 0, err
		}
	}
	return first, C.uint64_t(len(texts)), nil
}

// product of the lengths; 1 for a scalar, -1 for a negative length.
func product(shape []int) int {
	count := 1
	for _, length := range shape {
		if length < 0 {
			return -1
		}
		count *= length
	}
	return count
}
