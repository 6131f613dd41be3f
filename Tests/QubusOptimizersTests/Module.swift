// Tests of optimizers.
