SELECT dealix.start('chain', '{"n": 1}') AS run \gset
CALL dealix.wait(:run);
