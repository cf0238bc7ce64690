/* SPDX-License-Identifier: Apache-2.0 */
/* A GBA run with K, OP and RAND of TS 35.208 set 1, and other uses of the same KDF. Parameters and results in hex;
 * the results were computed with another implementation, which reproduces the published RES* (first row). `from` is
 * where the row's octets begin in the KDF's 32. */
static const struct kdf_row {
	const char *name, *key;
	uint8_t fc;
	const char *params[4], *out;
	size_t from;
} kdf_rows[] = {
	{
		.name = "RES* of TS 33.501 A.4",
		.key = "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441",
		.fc = 0x6b,
		.params = {
			"35473a6d6e633030312e6d63633030312e336770706e6574776f726b2e6f7267",
			"23553cbe9637a89d218ae64dae47bf35",
			"a54211d5e3ba50bf",
		},
		.out = "f236a7417272bfb2d66d4d670733b527",
		.from = 16,
	},
	{
		.name = "Ks_NAF, HTTP Digest",
		.key = "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441",
		.fc = 0x01,
		.params = {
			"6762612d6d65",
			"23553cbe9637a89d218ae64dae47bf35",
			"30303130313030303030303030303140696d732e6d6e633030312e6d63633030312e336770706e65"
			"74776f726b2e6f7267",
			"6e6166312e6578616d706c652e636f6d0100000002",
		},
		.out = "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf",
	},
	{
		.name = "Ks_ext_NAF",
		.key = "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441",
		.fc = 0x01,
		.params = {
			"6762612d6d65",
			"23553cbe9637a89d218ae64dae47bf35",
			"30303130313030303030303030303140696d732e6d6e633030312e6d63633030312e336770706e65"
			"74776f726b2e6f7267",
			"6e6166312e6578616d706c652e636f6d0100000002",
		},
		.out = "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf",
	},
	{
		.name = "Ks_int_NAF",
		.key = "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441",
		.fc = 0x01,
		.params = {
			"6762612d75",
			"23553cbe9637a89d218ae64dae47bf35",
			"30303130313030303030303030303140696d732e6d6e633030312e6d63633030312e336770706e65"
			"74776f726b2e6f7267",
			"6e6166312e6578616d706c652e636f6d0100000002",
		},
		.out = "e777b731dabc4c931b9c6fbf12a56c12fca455b1d4fe23ab5d17f7c3b0ac5152",
	},
	{
		.name = "Ks_NAF, TLS 1.2 suite c02f",
		.key = "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441",
		.fc = 0x01,
		.params = {
			"6762612d6d65",
			"23553cbe9637a89d218ae64dae47bf35",
			"30303130313030303030303030303140696d732e6d6e633030312e6d63633030312e336770706e65"
			"74776f726b2e6f7267",
			"6e6166312e6578616d706c652e636f6d010001c02f",
		},
		.out = "29be7e92cb9bfe0d3494e14043c16e20d61489dad944ea49a4839e4eb8a2312a",
	},
	{
		.name = "Ks_NAF, TLS 1.3 PSK",
		.key = "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441",
		.fc = 0x01,
		.params = {
			"6762612d6d65",
			"23553cbe9637a89d218ae64dae47bf35",
			"30303130313030303030303030303140696d732e6d6e633030312e6d63633030312e336770706e65"
			"74776f726b2e6f7267",
			"6e6166312e6578616d706c652e636f6d0100000007",
		},
		.out = "2f927025ce853bd51aa634c947da1afbe43c88b841712e79712fc1dd7da1adc3",
	},
	{
		.name = "TMPI",
		.key = "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441",
		.fc = 0x01,
		.params = {
			"6762612d6d65",
			"23553cbe9637a89d218ae64dae47bf35",
			"30303130313030303030303030303140696d732e6d6e633030312e6d63633030312e336770706e65"
			"74776f726b2e6f7267",
			"6273662e6d6e633030312e6d63633030312e7075622e336770706e6574776f726b2e6f7267010000"
			"0100",
		},
		.out = "ee0f00d111c3b825e50939bc233436f71628bb8175de5210ccc3338ad35f544d",
	},
	{
		.name = "2G RES",
		.key = "eae4be823af9a08beae4be823af9a08b23553cbe9637a89d218ae64dae47bf35",
		.fc = 0x01,
		.params = {
			"336770702d6762612d726573",
			"46f8416a",
		},
		.out = "91a40904556e5b5427543b008b1fc21e",
	},
	{
		.name = "2G Ks",
		.key = "eae4be823af9a08beae4be823af9a08b23553cbe9637a89d218ae64dae47bf35",
		.fc = 0x01,
		.params = {
			"00112233445566778899aabbccddeeff",
			"336770702d6762612d6b73",
			"46f8416a",
		},
		.out = "e25730eeb86cb402bcb10845916bbd71f45b6dbf8b1464d2e6123e82af674238",
	},
	{
		.name = "2G Ks_NAF",
		.key = "e25730eeb86cb402bcb10845916bbd71f45b6dbf8b1464d2e6123e82af674238",
		.fc = 0x01,
		.params = {
			"6762612d6d65",
			"23553cbe9637a89d218ae64dae47bf35",
			"30303130313030303030303030303140696d732e6d6e633030312e6d63633030312e336770706e65"
			"74776f726b2e6f7267",
			"6e6166312e6578616d706c652e636f6d0100000002",
		},
		.out = "e4bbb91298fa8a1c3b53a3dec46bdfe9d8a48990fdb5f42448563f97ae154a9d",
	},
	{
		.name = "K_AKMA, TS 33.535 A.2",
		.key = "41524dd791265cea8f427a5fa8873158031b319a64bf52dbecf590114d78a31e",
		.fc = 0x80,
		.params = {
			"414b4d41",
			"303031303130303030303030303031",
		},
		.out = "192615734809113412a2b488af82fcca3048be5d09f53e558ae1c3458d88e234",
	},
	{
		.name = "A-TID, TS 33.535 A.3",
		.key = "41524dd791265cea8f427a5fa8873158031b319a64bf52dbecf590114d78a31e",
		.fc = 0x81,
		.params = {
			"412d544944",
			"303031303130303030303030303031",
		},
		.out = "e9fc2b4534728587bf1417674443d8986c5b2e91b68e4ba88ea2322accb3ba19",
	},
	{
		.name = "K_AF, TS 33.535 A.4",
		.key = "192615734809113412a2b488af82fcca3048be5d09f53e558ae1c3458d88e234",
		.fc = 0x82,
		.params = {
			"6166312e6578616d706c652e636f6d0100000002",
		},
		.out = "27f63a3e3205d574b63aba7d508812fc4ef9610e37db6ccad8f36d3c55573b47",
	},
	{
		.name = "GBA_Digest password, B.5",
		.key = "4fd0888fd632e1d60f2a37bc893660590188e61f092744d640fcf0cc0b440fb7",
		.fc = 0x01,
		.params = {
			"4742415f4469676573745f52455350",
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
			"28292a2b2c2d2e2f",
		},
		.out = "c56726405b822b1243a913a2f6c8a243d9e337e7a0bcc4086138686eafaadc58",
	},
	{
		.name = "GBA_Digest Ks, B.5",
		.key = "4fd0888fd632e1d60f2a37bc893660590188e61f092744d640fcf0cc0b440fb7",
		.fc = 0x01,
		.params = {
			"4742415f4469676573745f4b73",
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
			"28292a2b2c2d2e2f",
			"3ab9845c3e1319149947f6d230a08724ed5c260b71ef2221c261d728bf630bfc",
		},
		.out = "e533cc5cf53e9a41fcc2193a472012d433f34551718adaef6db2a4581808ffeb",
	},
};

/* The same run by name. */
#define RUN_K		"465b5ce8b199b49faa5f0a2ee238a6bc"
#define RUN_OP		"cdc202d5123e20f62b6d676ac72cb318"
#define RUN_RAND	"23553cbe9637a89d218ae64dae47bf35"
#define RUN_SQN		UINT64_C(0x21)
#define RUN_AMF		"0000"
#define RUN_IMPI	"001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define RUN_BSF		"bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define RUN_NAF		"naf1.example.com"
#define RUN_XRES	"a54211d5e3ba50bf"
#define RUN_CK		"b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define RUN_IK		"f769bcd751044604127672711c6d3441"
#define RUN_AUTN	"aa689c64835100009f897ef2e7a4c5f8"
#define RUN_KS		"b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441"
#define RUN_TMPI	"7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.3gppnetwork.org"
#define RUN_SQN_MS	UINT64_C(0x1000)
#define RUN_AUTS	"451e8becb43b05c542fb178afb2d"
#define RUN_MAC_MASK	"c6e0c5ce26e01df7" /* Trunc64(SHA-1(IK)) */
#define RUN_AUTN_STAR	"aa689c64835100005969bb3cc144d80f"
#define RUN_AKAV2	"shzt3q8CWaZnCAWqs3WmEQ=="
#define RUN_KC		"eae4be823af9a08b"
#define RUN_SRES	"46f8416a"
#define RUN_KS_INPUT	"00112233445566778899aabbccddeeff"
#define RUN_2G_RES	"91a40904556e5b5427543b008b1fc21e"
#define RUN_2G_KS	"e25730eeb86cb402bcb10845916bbd71f45b6dbf8b1464d2e6123e82af674238"
