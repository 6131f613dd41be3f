module loop

go 1.19

require qubus v0.1.0

replace qubus => ../../../bindings/go
