-- The rows of a cluster as nodes of level 1 wrote them.
CREATE TABLE rows (
         key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL
       ) STRICT;
INSERT INTO rows VALUES ('cluster', '{"id":"5f442cc4-d797-4630-b030-5405830a11ec","epoch":0,"identity":"sqlite","timeline":"1"}', 1);
INSERT INTO rows VALUES ('name/order', '{"line":1,"isDeleted":false,"fields":{"type":"3","starting":"0","step":"1","auto_disk":"elegant_close"},"floor":"0"}', 6);
INSERT INTO rows VALUES ('name/close', '{"line":2,"isDeleted":false,"fields":{"type":"2","length":"8","starting":"5","step":"1","auto_disk":"pre_close"},"floor":"0"}', 7);
INSERT INTO rows VALUES ('node/20466717-7b69-4fe7-aba8-e6d5975727c1', '{"generation":1,"token":"0769c515-74cb-4caf-bca4-2bf69ba2b867","isConfirmed":true,"sequence":3,"host":"test","state":"member"}', 12);
INSERT INTO rows VALUES ('line/2', '{"isDeleted":false,"next":"200","returned":[],"floor":"0"}', 13);
INSERT INTO rows VALUES ('figure/2/36a89470-20ae-49b3-bdeb-28749305cf7d', '{"leased":"100","burnt":"0","generated":"0","held":"100"}', 13);
INSERT INTO rows VALUES ('figure/3/36a89470-20ae-49b3-bdeb-28749305cf7d', '{"leased":"100","burnt":"0","generated":"0","held":"100"}', 14);
INSERT INTO rows VALUES ('names', '{"lastLine":3}', 15);
INSERT INTO rows VALUES ('name/gone', '{"line":3,"isDeleted":true,"fields":{"type":"3","starting":"0","step":"1","auto_disk":"elegant_close"},"floor":"0"}', 15);
INSERT INTO rows VALUES ('line/3', '{"isDeleted":true,"next":"100","returned":[],"floor":"0"}', 15);
INSERT INTO rows VALUES ('line/1', '{"isDeleted":false,"next":"2200","returned":[],"floor":"0"}', 16);
INSERT INTO rows VALUES ('figure/1/36a89470-20ae-49b3-bdeb-28749305cf7d', '{"leased":"1100","burnt":"0","generated":"100","held":"1000"}', 16);
INSERT INTO rows VALUES ('node/36a89470-20ae-49b3-bdeb-28749305cf7d', '{"generation":1,"token":"de9fcb90-55a0-4111-958f-2603acf66e06","isConfirmed":true,"sequence":4,"host":"test","state":"member"}', 17);
INSERT INTO rows VALUES ('figure/1/20466717-7b69-4fe7-aba8-e6d5975727c1', '{"leased":"1100","burnt":"0","generated":"130","held":"970"}', 18);
INSERT INTO rows VALUES ('figure/2/20466717-7b69-4fe7-aba8-e6d5975727c1', '{"leased":"100","burnt":"0","generated":"10","held":"90"}', 18);
