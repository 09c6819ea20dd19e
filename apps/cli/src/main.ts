process.stdout.write("thingline\n");
