SELECT dealix.start('chain', '{"n": 1}');
