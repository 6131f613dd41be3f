module qubus

go 1.19
